import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Load for a broker that is killed under it: {@code KillLoad BOOTSTRAP TOPIC PARTITIONS RATE FOLDER}.
 *
 * <p>A default producer (idempotent, five requests in flight) that never gives up numbers its records per partition; a consumer
 * reads along. Each prints what it was told, `partition offset number` a line, into FOLDER: `acked` what was acknowledged,
 * `observed` what the consumer saw meanwhile, `final` what the log holds at the end. Standard output says how many acks there
 * were, ten times a second. A line on standard input ends the sending; the rest is awaited.
 */
public final class KillLoad {
    private static final int VALUE_BYTES = 200;
    private static final int IN_FLIGHT_MAX = 20_000;
    private static final long PROGRESS_NANOS = 100_000_000;

    private final Kafka kafka;
    private final List<TopicPartition> partitions = new ArrayList<>();
    private final int rate;
    private final Path folder;
    private final AtomicLong acks = new AtomicLong();
    private final AtomicBoolean ending = new AtomicBoolean();
    private final AtomicReference<Exception> failure = new AtomicReference<>();

    private KillLoad(Kafka kafka, String topic, int partitions, int rate, Path folder) {
        this.kafka = kafka;
        this.rate = rate;
        this.folder = folder;
        for (int i = 0; i < partitions; i++) this.partitions.add(new TopicPartition(topic, i));
    }

    public static void main(String[] args) throws Exception {
        var load = new KillLoad(new Kafka(args[0]), args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]), Path.of(args[4]));
        load.run();
    }

    private void run() throws Exception {
        var stop = new Thread(this::awaitStop);
        stop.setDaemon(true);
        stop.start();
        var along = new Thread(() -> keepFailure(this::readAlong));
        along.start();
        keepFailure(this::send);
        ending.set(true);
        along.join();
        if (failure.get() != null) throw failure.get();
        try (var consumer = consumer(); var out = writer("final")) {
            readToEnd(consumer, out);
        }
    }

    private void awaitStop() {
        try {
            System.in.read();
        } catch (IOException e) {
            failure.compareAndSet(null, e);
        }
        ending.set(true);
    }

    private interface Work {
        void run() throws Exception;
    }

    private void keepFailure(Work work) {
        try {
            work.run();
        } catch (Exception e) {
            failure.compareAndSet(null, e);
            ending.set(true);
        }
    }

    private BufferedWriter writer(String name) throws IOException {
        return Files.newBufferedWriter(folder.resolve(name));
    }

    private void send() throws Exception {
        String never = Integer.toString(Integer.MAX_VALUE);
        var permits = new Semaphore(IN_FLIGHT_MAX);
        try (var out = writer("acked");
                var producer = kafka.producer("delivery.timeout.ms", never, "max.block.ms", never, "reconnect.backoff.max.ms", "100")) {
            long started = System.nanoTime();
            long progress = started;
            for (long sent = 0; !ending.get(); sent++) {
                permits.acquire();
                send(producer, out, permits, (int) (sent % partitions.size()), sent / partitions.size());
                long now = System.nanoTime();
                if (now - progress > PROGRESS_NANOS) {
                    progress = now;
                    System.out.println(acks.get());
                }
                LockSupport.parkNanos(started + sent * 1_000_000_000L / rate - now);
            }
            producer.flush();
            permits.acquire(IN_FLIGHT_MAX); // every callback has run
        }
    }

    private void send(KafkaProducer<byte[], byte[]> producer, BufferedWriter out, Semaphore permits, int partition, long number) {
        byte[] value = String.format("%0" + VALUE_BYTES + "d", number).getBytes();
        producer.send(new ProducerRecord<>(partitions.get(partition).topic(), partition, null, value), (ack, error) -> {
            permits.release();
            if (error != null) {
                failure.compareAndSet(null, error);
                ending.set(true);
                return;
            }
            acks.incrementAndGet();
            write(out, partition, ack.offset(), number);
        });
    }

    private static void write(BufferedWriter out, int partition, long offset, long number) {
        try {
            out.write(partition + " " + offset + " " + number + "\n");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void write(BufferedWriter out, ConsumerRecord<byte[], byte[]> record) {
        write(out, record.partition(), record.offset(), Long.parseLong(new String(record.value())));
    }

    /** Any position that the log no longer has is an exception here: acknowledged records cannot go. */
    private KafkaConsumer<byte[], byte[]> consumer() {
        var consumer = kafka.consumer("auto.offset.reset", "none", "reconnect.backoff.max.ms", "100");
        consumer.assign(partitions);
        for (TopicPartition partition : partitions) consumer.seek(partition, 0);
        return consumer;
    }

    private void readAlong() throws Exception {
        try (var consumer = consumer(); var out = writer("observed")) {
            while (!ending.get()) consumer.poll(Kafka.POLL).forEach(record -> write(out, record));
        }
    }

    private void readToEnd(KafkaConsumer<byte[], byte[]> consumer, BufferedWriter out) {
        var ends = consumer.endOffsets(partitions);
        Kafka.await("the ends of the log, " + ends, () -> {
            consumer.poll(Kafka.POLL).forEach(record -> write(out, record));
            return partitions.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition));
        });
    }
}
