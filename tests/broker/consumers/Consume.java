// SPDX-License-Identifier: BSL-1.0
// java Consume.java BROKER_URL TOPIC COUNT PRIVATE_PEM [TOKEN]: the Java client as a consumer with a private key.
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.client.api.AuthenticationFactory;
import org.apache.pulsar.client.api.Consumer;
import org.apache.pulsar.client.api.CryptoKeyReader;
import org.apache.pulsar.client.api.EncryptionKeyInfo;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.SubscriptionInitialPosition;

public class Consume {
    public static void main(String[] arguments) throws Exception {
        byte[] privateKey = Files.readAllBytes(Path.of(arguments[3]));
        CryptoKeyReader keys = new CryptoKeyReader() {
            @Override
            public EncryptionKeyInfo getPublicKey(String name, Map<String, String> metadata) {
                return null;
            }
            @Override
            public EncryptionKeyInfo getPrivateKey(String name, Map<String, String> metadata) {
                return new EncryptionKeyInfo(privateKey, metadata);
            }
        };
        var builder = PulsarClient.builder().serviceUrl(arguments[0]);
        if (arguments.length > 4) builder.authentication(AuthenticationFactory.token(arguments[4]));
        try (PulsarClient client = builder.build()) {
            Consumer<byte[]> consumer = client.newConsumer()
                .topic(arguments[1])
                .subscriptionName("java")
                .subscriptionInitialPosition(SubscriptionInitialPosition.Earliest)
                .cryptoKeyReader(keys)
                .subscribe();
            for (int left = Integer.parseInt(arguments[2]); left > 0; --left) {
                Message<byte[]> message = consumer.receive(30, TimeUnit.SECONDS);
                if (message == null) throw new IllegalStateException(left + " messages did not come");
                System.out.println(Base64.getEncoder().encodeToString(message.getData()));
                consumer.acknowledge(message);
            }
        }
        System.exit(0); // the client's threads are of no more use
    }
}
