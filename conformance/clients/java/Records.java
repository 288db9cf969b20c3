import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The suite's record lines (suite/dataset.py describes them): parsing what is to be written, printing what was read. */
final class Records {
    private static final HexFormat HEX = HexFormat.of();

    private Records() {}

    private static byte[] bytes(String field) {
        return field.equals("-") ? null : HEX.parseHex(field);
    }

    private static String field(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }

    private static List<Header> headers(String field) {
        List<Header> headers = new ArrayList<>();
        if (field.isEmpty()) return headers;
        for (String pair : field.split(",")) {
            String[] nameValue = pair.split(":", 2);
            headers.add(new RecordHeader(new String(HEX.parseHex(nameValue[0]), StandardCharsets.UTF_8), bytes(nameValue[1])));
        }
        return headers;
    }

    static List<ProducerRecord<byte[], byte[]>> load(String topic, Path file) throws IOException {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line; (line = lines.readLine()) != null; ) {
                String[] fields = line.split("\t", -1);
                Long timestamp = fields[1].equals("-") ? null : Long.valueOf(fields[1]);
                records.add(new ProducerRecord<>(topic, Integer.valueOf(fields[0]), timestamp, bytes(fields[2]),
                        bytes(fields[3]), headers(fields[4])));
            }
        }
        return records;
    }

    static void write(BufferedWriter out, ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            if (headers.length() > 0) headers.append(',');
            headers.append(field(header.key().getBytes(StandardCharsets.UTF_8))).append(':').append(field(header.value()));
        }
        try {
            out.write(record.partition() + "\t" + record.offset() + "\t" + record.timestamp() + "\t" + field(record.key())
                    + "\t" + field(record.value()) + "\t" + headers + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
