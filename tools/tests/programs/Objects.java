// SPDX-License-Identifier: GPL-2.0-only
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Objects on the heap, buffers outside of it, and threads, until the file named exists. */
public class Objects {
	static void fail(String what) {
		System.out.println("wrong: " + what);
		Runtime.getRuntime().halt(1);
	}

	static void churn(int seed) {
		Map<Integer, byte[]> kept = new HashMap<>();
		for (int i = 0; i < 3000; i++) {
			byte[] fresh = new byte[i % 3000 + 1];
			for (byte b : fresh) {
				if (b != 0)
					fail("a new array is not zero");
			}
			java.util.Arrays.fill(fresh, (byte) (seed + i));
			kept.put(i % 500, fresh);
		}
		for (Map.Entry<Integer, byte[]> entry : kept.entrySet()) {
			byte[] bytes = entry.getValue();
			if (bytes[0] != bytes[bytes.length - 1])
				fail("an array has changed");
		}
		ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 20);
		for (int i = 0; i < buffer.capacity(); i += 512) {
			if (buffer.get(i) != 0)
				fail("a new buffer is not zero");
			buffer.put(i, (byte) 1);
		}
	}

	public static void main(String[] args) throws Exception {
		Path stop = Path.of(args[0]);
		int rounds = 0;
		System.out.println("ready");
		while (!Files.exists(stop) || rounds == 0) {
			List<Thread> threads = new ArrayList<>();
			for (int t = 0; t < 2; t++) {
				int seed = t;
				Thread thread = new Thread(() -> churn(seed));
				thread.start();
				threads.add(thread);
			}
			for (Thread thread : threads)
				thread.join();
			System.gc();
			rounds++;
		}
		System.out.println(rounds + " rounds");
	}
}
