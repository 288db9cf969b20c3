// Writes re2j-1.8.txt: expressions, and what RE2/J makes of them.
//   java -cp "$JARS/*" Patterns.java > re2j-1.8.txt     (JARS: the jars of Kafka 4.3.1)
// Expressions with a meaning of their own first, then random ones out of pieces that RE2/J and others read differently.

import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

class Patterns {
    static final String[] NAMES = {
        "a", "A", "b", "aa", "ab", "a.b", "a-b", "a_b", "aab", "abc", "0", "01", "a0", "orders", "Orders", "orders.eu",
        "orders-1", "__consumer_offsets", "_", "-", ".a", "QE", "x41", "k",
    };
    static final String[] FIXED = {
        "", ".*", "orders.*", "(?i)ORDERS", "(?i:O)rders", "(?i)orders(?-i).EU", "(?i)orders(?-i).eu", "(?P<x>a)b", "(?<x>a)b",
        "(?P<x>a)(?<x>b)", "(?<1x>a)", "(?<x-y>a)", "(?P<x", "(?P=x)", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", "(?#a)", "(?x)a b",
        "(?u)a", "(?R)a", "(?)a", "(?-)a", "(?i-)a", "(?-i)a", "(?i-s:A)", "(?--i:a)", "(?ims-U:A)", "(?ii)A", "(?i", "(?",
        "(", ")", "a)", "(a", "()", "(|a)", "a||b", "|", "[", "]", "[]", "[]a]", "[^]a]", "[a", "[a-", "[a-]", "[-a]", "[a-b-c]",
        "[b-a]", "[a&&b]+", "[a--b]", "[[a]+", "[[:alpha:]]+", "[[:^alpha:]]+", "[[:nope:]]", "[:alpha:]", "[[:alpha:]", "[\\d]+",
        "[\\w-]+", "[^\\W]+", "[\\D]", "[a-\\d]", "[\\Qa\\E]", "[\\x61-\\x63]+", "[\\141]", "[\\]]", "[\\b]", "\\d+", "\\D", "\\s",
        "\\S+", "\\w+", "\\W", "\\h", "\\R", "\\X", "\\K", "\\G", "\\Z", "\\z", "\\A", "a\\z", "\\Aa", "^a$", "a^b", "a$b", "\\ba\\b",
        "a\\b.b", "a\\Bb", "\\b{start}a", "\\<a", "a\\>", "\\Qa.b\\E", "\\Qa.b", "\\Q\\E", "\\Qa\\E+", "\\Qab\\E+", "\\E", "\\Q*\\E*",
        "\\C", "\\.a", "\\_", "\\-", "\\a", "\\e", "\\cA", "\\q", "\\", "\\1", "\\8", "\\0", "\\060", "\\60", "\\0601", "\\x",
        "\\x4", "\\x41", "\\x{41}", "\\x{}", "\\x{110000}", "\\x{000041}", "\\x{g}", "\\x{41", "\\u0041", "\\N{a}", "\\pL", "\\pL+",
        "\\PL", "\\p{L}+", "\\p{Lu}", "\\p{^Lu}", "\\P{^Lu}", "\\p{Greek}", "\\p{Latin}+", "\\p{greek}", "\\p{Nope}", "\\p{", "\\p",
        "\\p{}", "\\p{Any}+", "\\p{Nd}+", "\\p{IsLatin}", "[\\pL0-9]+", "[^\\pL]+", "*", "+a", "a**", "a*?", "a*??", "a+*", "a*+",
        "a?+", "a??", "a{2}", "a{2,}", "a{,2}", "a{1,2}b", "a{2,1}", "a{1000}", "a{1001}", "a{1,1001}", "a{02}", "a{2", "a{", "a{}",
        "a{x}", "{", "{2}", "a{2}{3}", "a{2}*", "a{2}?", "a{2}??", "(a*)*", "(a*)+b", "^*a", "$*a", "(?:)*a", "|*", "(*)", "(?i)*",
        "a{123456789}", "a{1,123456789}", "k|(?i)K", "(?i)\u212a", "(?i)[^a]", "\u00e9", "[\u00e9-\u00ff]", "a\n", "a b",
    };
    static final String[] PIECES = {
        "a", "b", "A", "0", ".", "-", "_", "\\.", "\\d", "\\W", "\\pL", "\\Qa.\\E", "[ab]", "[^a]", "[a-c]", "[&&a]", "[[:digit:]_]",
        "(", ")", "(?:", "(?i)", "(?i:", "|", "*", "+", "?", "{2}", "{1,2}", "{,1}", "^", "$", "\\b", "\\x61", "\\141",
    };

    static String escaped(String pattern) {
        StringBuilder text = new StringBuilder();
        for (char c : pattern.toCharArray()) {
            if (c > ' ' && c < 127 && c != '%') text.append(c);
            else text.append(String.format("%%%04x", (int) c));
        }
        return text.toString();
    }

    static void print(String pattern) {
        try {
            Pattern compiled = Pattern.compile(pattern);
            List<String> matching = new ArrayList<>();
            for (String name : NAMES) {
                if (compiled.matcher(name).matches()) matching.add(name);
            }
            System.out.println(escaped(pattern) + " = " + String.join(" ", matching));
        } catch (PatternSyntaxException error) {
            System.out.println(escaped(pattern) + " ! " + error.getDescription());
        }
    }

    public static void main(String[] args) {
        System.out.println(String.join(" ", NAMES));
        Set<String> patterns = new LinkedHashSet<>(List.of(FIXED));
        Random random = new Random(848);
        while (patterns.size() < FIXED.length + 1000) {
            StringBuilder pattern = new StringBuilder();
            for (int i = 1 + random.nextInt(7); i > 0; i--) pattern.append(PIECES[random.nextInt(PIECES.length)]);
            patterns.add(pattern.toString());
        }
        patterns.forEach(Patterns::print);
    }
}
