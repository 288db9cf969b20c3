import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.KafkaStorageException;

/**
 * Appends to a broker whose disk fills up: {@code FullDisk BOOTSTRAP TOPIC fill|heal FILE}.
 *
 * <p>`fill` sends until an append is refused for want of space, and fails when that takes more than MEBIBYTES_MAX or when the error
 * is another one. `heal` sends until appends are taken again. Both print into FILE how many were acknowledged.
 */
public final class FullDisk {
    private static final int RECORD_BYTES = 100_000;
    private static final int MEBIBYTES_MAX = 512;
    private static final Duration HEAL_MAX = Duration.ofSeconds(120);
    private static final int HEALED_RECORDS = 10;

    private FullDisk() {}

    public static void main(String[] args) throws Exception {
        // Without retries the broker's own error comes through.
        try (var producer = new Kafka(args[0]).producer("enable.idempotence", "false", "retries", "0")) {
            byte[] value = new byte[RECORD_BYTES];
            new Random(1).nextBytes(value);
            int acked = args[2].equals("fill") ? fill(producer, args[1], value) : heal(producer, args[1], value);
            Files.writeString(Path.of(args[3]), Integer.toString(acked));
        }
    }

    private static boolean taken(KafkaProducer<byte[], byte[]> producer, String topic, byte[] value) throws Exception {
        try {
            producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof KafkaStorageException) return false;
            throw e;
        }
    }

    private static int fill(KafkaProducer<byte[], byte[]> producer, String topic, byte[] value) throws Exception {
        int acked = 0;
        while (taken(producer, topic, value)) {
            acked++;
            Kafka.check((long) acked * RECORD_BYTES >> 20 < MEBIBYTES_MAX, "never refused");
        }
        return acked;
    }

    private static int heal(KafkaProducer<byte[], byte[]> producer, String topic, byte[] value) throws Exception {
        long deadline = System.nanoTime() + HEAL_MAX.toNanos();
        while (!taken(producer, topic, value)) {
            Kafka.check(System.nanoTime() < deadline, "still refused " + HEAL_MAX.toSeconds() + " s after space returned");
        }
        for (int i = 1; i < HEALED_RECORDS; i++) Kafka.check(taken(producer, topic, value), "refused again");
        return HEALED_RECORDS;
    }
}
