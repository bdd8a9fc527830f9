// One end of what must not notice that an agent dies. `serve`: answers each connection with a stream of counted words and
// checks those that come. `stream ADDRESS`: keeps one connection, sends and checks the same, until its input ends. Both then
// print what they sent and received, or at once what went wrong. `knock ADDRESS COUNT`: makes short connections, each asking
// one line, until its input ends, at least COUNT, and prints how many of them failed and how.
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

const [mode, address = '', least = '1'] = process.argv.slice(2);
const [streamPort, knockPort] = [7710, 7711];
const chunkBytes = 32_768;
/** Slow enough for a busy machine to carry several streams, and never silent for long. */
const chunkEveryMs = 20;

/** Four-byte words that count up, in one direction. */
class Count {
  bytes = 0;

  next(): Buffer {
    const chunk = words(this.bytes, chunkBytes);
    this.bytes += chunkBytes;
    return chunk;
  }

  /** False when these are not the bytes that come next; they may be cut anywhere. */
  accept(bytes: Buffer): boolean {
    const right = words(this.bytes, bytes.length).equals(bytes);
    this.bytes += bytes.length;
    return right;
  }
}

function words(from: number, length: number): Buffer {
  const cut = from % 4;
  const first = (from - cut) / 4;
  const counted = Uint32Array.from({ length: Math.ceil((cut + length) / 4) }, (_, at) => first + at);
  return Buffer.from(counted.buffer, cut, length);
}

/** Sends until told to stop and checks what comes until the other end stops; then says how much there was of both. */
function converse(socket: Socket): { readonly stop: () => void } {
  const [sent, received] = [new Count(), new Count()];
  const timer = setInterval(() => {
    if (!socket.writableNeedDrain) socket.write(sent.next());
  }, chunkEveryMs);
  const stop = (): void => {
    clearInterval(timer);
    socket.end();
  };
  const fail = (what: string): void => {
    clearInterval(timer);
    say(`failed after ${sent.bytes} sent and ${received.bytes} received: ${what}`);
    socket.destroy();
  };
  socket.on('data', (bytes: Buffer) => {
    if (!received.accept(bytes)) fail('bytes out of order');
  });
  socket.on('error', (error) => {
    fail(error.message);
  });
  socket.on('end', () => {
    stop();
    say(`sent ${sent.bytes} received ${received.bytes}`);
  });
  return { stop };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One short connection; yields what went wrong, or undefined. */
function knock(number: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: address, port: knockPort }, () => socket.write(`${number}\n`));
    socket.setTimeout(15_000, () => socket.destroy(new Error('no answer in 15 s')));
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
    socket.on('error', (error) => {
      resolve(error.message);
    });
    socket.on('close', () => {
      resolve(answer === `${number}\n` ? undefined : `answered ${JSON.stringify(answer)}`);
    });
  });
}

if (mode === 'serve') {
  const knocked = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => socket.end(bytes));
  });
  const streamed = createServer({ allowHalfOpen: true }, converse);
  knocked.listen(knockPort, '::', () =>
    streamed.listen(streamPort, '::', () => {
      say('listening');
    }),
  );
} else if (mode === 'stream') {
  const socket = connect({ host: address, port: streamPort, allowHalfOpen: true }, () => {
    say('connected');
    const { stop } = converse(socket);
    process.stdin.resume().on('end', stop);
  });
  // Before it is connected; afterwards the conversation tells, and only once.
  socket.once('error', (error) => {
    if (socket.bytesWritten === 0) say(`failed: ${error.message}`);
  });
  socket.on('close', () => process.exit());
} else {
  process.stdin.resume();
  const failures: string[] = [];
  let made = 0;
  while (!process.stdin.readableEnded || made < Number(least)) {
    const failure = await knock(made++);
    if (failure !== undefined) failures.push(failure);
    if (made === 1) say('first');
  }
  say(`${made} connections, ${failures.length} failed ${failures.slice(0, 3).join('; ')}`.trim());
  process.exit();
}
