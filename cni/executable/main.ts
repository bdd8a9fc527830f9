/**
 * The CNI executable: passes a call to the agent and prints what comes back. Compiled by Bun to one file; it decides
 * nothing, so that a new agent needs no new executable. It uses Bun's own functions only: node:fs, Buffer and
 * process.stdout each cost milliseconds of start-up.
 */
import {
  FrameReader,
  cniCode,
  defaultSocketPath,
  encodeFrame,
  errorText,
  largestBody,
  oldestProtocol,
  protocolVersion,
  supportedVersions,
} from '../protocol.ts';
import { entryName, queueFolder } from '../queue/entry.ts';

/** The few functions of Bun that are used, as its documentation has them. */
interface BunSocket {
  write(bytes: Uint8Array): number;
  end(): void;
}
declare const Bun: {
  readonly stdin: { stream(): AsyncIterable<Uint8Array> };
  readonly stdout: unknown;
  write(target: unknown, data: string): Promise<number>;
  sleep(ms: number): Promise<void>;
  connect(options: {
    readonly unix: string;
    readonly socket: {
      open(socket: BunSocket): void;
      drain(socket: BunSocket): void;
      data(socket: BunSocket, bytes: Uint8Array): void;
      close(): void;
      error(): void;
    };
  }): Promise<BunSocket>;
};

// How long an operation may look for an agent that is just starting, and wait for its answer, milliseconds. DEL and GC
// need not: they are queued. A STATUS that hangs would hang the kubelet's own status; the others are bounded by the
// runtime, and here in case it is not.
const connectWithin: Readonly<Record<string, number>> = { ADD: 5_000 };
const answerWithin: Readonly<Record<string, number>> = { STATUS: 2_000 };
const longestAnswer = 60_000;
const retryEvery = 100;

const variables: Record<string, string> = {};
for (const name in process.env) {
  const value = process.env[name];
  if (name.startsWith('CNI_') && value !== undefined) variables[name] = value;
}
const command = variables['CNI_COMMAND'] ?? '';

async function print(text: string, exit: number): Promise<never> {
  if (text !== '') await Bun.write(Bun.stdout, text);
  process.exit(exit);
}

/** Standard input, or undefined when it is longer than the agent takes. */
async function readStdin(): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of Bun.stdin.stream()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > largestBody) return undefined;
  }
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) return first;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

interface Config {
  readonly socket: string;
  readonly cniVersion: string;
  /** Name of the network; any value. */
  readonly name: unknown;
}

/** The members of the network configuration that are the executable's affair. */
function readConfig(stdin: Uint8Array): Config {
  let config: Record<string, unknown> = {};
  try {
    config = (JSON.parse(new TextDecoder().decode(stdin)) ?? {}) as Record<string, unknown>;
  } catch {
    // The agent says what is wrong with it.
  }
  const { socket, cniVersion, name } = config;
  return {
    socket: typeof socket === 'string' && socket.startsWith('/') ? socket : defaultSocketPath,
    cniVersion: typeof cniVersion === 'string' ? cniVersion : '1.1.0',
    name,
  };
}

/** One exchange with the agent. Rejects when nobody listens, or when the answer breaks off. */
function exchange(path: string, request: Uint8Array): Promise<{ readonly stdout: string; readonly exit: number }> {
  return new Promise((resolve, reject) => {
    const reader = new FrameReader();
    let unsent = request;
    const send = (socket: BunSocket): void => {
      unsent = unsent.subarray(socket.write(unsent));
    };
    Bun.connect({
      unix: path,
      socket: {
        open: send,
        drain: send,
        data(socket, bytes) {
          try {
            // Bun uses the memory again for the next piece.
            const frame = reader.push(bytes.slice());
            if (frame === undefined) return;
            // Whatever protocol the agent speaks: the frame and this member never change.
            const { exit } = frame.header as { readonly exit?: unknown };
            if (typeof exit !== 'number') throw new Error('the answer of the agent has no exit code');
            resolve({ stdout: new TextDecoder().decode(frame.body), exit });
            socket.end();
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        },
        close() {
          reject(new Error('the agent ended the connection before its answer'));
        },
        error() {
          reject(new Error('the connection to the agent broke'));
        },
      },
    }).catch(reject);
  });
}

function isNobodyThere(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}

/**
 * A DEL or GC without an agent: queued, so that a pod can end all the same. Then the agent is tried once more: it listens
 * before it reads the queue, so one that is not there now will find the entry. Returns why the call could not be queued.
 */
async function later(config: Config, request: Uint8Array): Promise<string | undefined> {
  const folder = `${config.socket.slice(0, config.socket.lastIndexOf('/'))}/${queueFolder}`;
  const name = entryName(variables, config.name);
  if (name === undefined) return 'a call without a sound key is not queued';
  const { dequeue, enqueue } = await import('./enqueue.ts');
  let refusal: string | undefined;
  try {
    await enqueue(folder, name, request);
    queued = true;
  } catch (error) {
    refusal = error instanceof Error ? error.message : String(error);
  }
  try {
    const reply = await exchange(config.socket, request);
    if (queued) await dequeue(folder, name);
    return await print(reply.stdout, reply.exit);
  } catch {
    return refusal;
  }
}

let queued = false;

async function main(): Promise<void> {
  if (command === '') {
    // As the reference plugins do for somebody who tries the file by hand.
    process.stderr.write(`berth: CNI plugin, versions ${supportedVersions.join(', ')}; a container runtime runs it\n`);
    process.exit(0);
  }
  // Without the agent and without reading standard input, which some callers leave open.
  if (command === 'VERSION') await print(JSON.stringify({ cniVersion: '1.1.0', supportedVersions }), 0);
  const stdin = await readStdin();
  if (stdin === undefined)
    return await print(
      errorText('1.1.0', cniCode.decodeFailure, `the network configuration is longer than ${largestBody} bytes`),
      1,
    );
  const config = readConfig(stdin);
  const unavailable = command === 'STATUS' ? cniCode.notAvailable : cniCode.tryAgainLater;
  const fail = (message: string, details = ''): Promise<never> =>
    print(errorText(config.cniVersion, unavailable, message, details), 1);
  setTimeout(() => {
    // What is in the queue will be done, whatever becomes of the connection.
    void (queued ? print('', 0) : fail(`the berth agent did not answer ${command} in time`));
  }, answerWithin[command] ?? longestAnswer);
  const request = encodeFrame({ protocol: protocolVersion, oldest: oldestProtocol, variables }, stdin);
  const until = performance.now() + (connectWithin[command] ?? 0);
  for (;;) {
    try {
      const reply = await exchange(config.socket, request);
      return await print(reply.stdout, reply.exit);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = isNobodyThere(error) ? 'the berth agent is not running' : 'the berth agent did not answer';
      if (command === 'DEL' || command === 'GC') {
        const refusal = await later(config, request);
        return refusal === undefined ? await print('', 0) : await fail(message, `${config.socket}: ${why}; ${refusal}`);
      }
      if (!isNobodyThere(error) || performance.now() + retryEvery > until)
        return await fail(message, `${config.socket}: ${why}`);
      await Bun.sleep(retryEvery);
    }
  }
}

await main();
