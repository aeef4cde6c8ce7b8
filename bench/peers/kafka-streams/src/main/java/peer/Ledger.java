package peer;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The ledger of the benchmarks as a Kafka Streams application: a command in, a state of a counter and the last payload in a persistent store with
 * its changelog, an event out, which is the answer too. Exactly once.
 *
 * <p>Arguments: brokers, application id, topic of commands, topic of events, directory of states, commit interval in milliseconds, threads. It prints
 * "running" when it runs, and ends when its standard input does.
 */
public final class Ledger {
  private static final String STORE = "accounts";

  public static void main(String[] args) throws Exception {
    if (args.length != 7) {
      System.err.println("arguments: BROKERS APPLICATION COMMANDS EVENTS DIRECTORY COMMIT_MS THREADS");
      System.exit(2);
    }
    Topology topology = new Topology();
    topology.addSource("commands", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), args[2]);
    topology.addProcessor("decide", Decide::new, "commands");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.ByteArray(), Serdes.ByteArray())
            .withCachingEnabled(),
        "decide");
    topology.addSink("events", args[3], Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "decide");
    KafkaStreams streams = new KafkaStreams(topology, settings(args));
    streams.setUncaughtExceptionHandler(
        failure -> {
          failure.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.RUNNING) {
            System.out.println("running");
            System.out.flush();
          }
        });
    streams.start();
    while (System.in.read() >= 0) {
      // whoever started this holds the other end
    }
    streams.close();
  }

  private static Properties settings(String[] args) {
    long commit = Long.parseLong(args[5]);
    Properties p = new Properties();
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commit);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(args[6]));
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, -1);
    // A thread that waits for records commits only afterwards, so the default of 100 ms would hold answers up.
    p.put(StreamsConfig.POLL_MS_CONFIG, Math.max(1, commit / 10));
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 0);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    return p;
  }

  /** Folds a command's payload into the state of its account, and forwards it as the event, with the command's headers. */
  private static final class Decide extends ContextualProcessor<byte[], byte[], byte[], byte[]> {
    private KeyValueStore<byte[], byte[]> accounts;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      super.init(context);
      accounts = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<byte[], byte[]> command) {
      byte[] before = accounts.get(command.key());
      long count = (before == null ? 0 : ByteBuffer.wrap(before).getLong()) + 1;
      byte[] after = ByteBuffer.allocate(Long.BYTES + command.value().length).putLong(count).put(command.value()).array();
      accounts.put(command.key(), after);
      byte[] number = ("/" + count).getBytes(StandardCharsets.UTF_8);
      byte[] key = ByteBuffer.allocate(command.key().length + number.length).put(command.key()).put(number).array();
      context().forward(command.withKey(key));
    }
  }

  private Ledger() {}
}
