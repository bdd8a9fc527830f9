/**
 * The CNI executable: passes a call to the agent and prints what comes back. It decides nothing, so that a new agent needs no
 * new executable. Compiled to bytecode and linked with QuickJS and host.c to one static file of 2 MB that starts in half a
 * millisecond; there is no event loop in it, and nothing of Node.
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
import { SystemError, connectUnix, readSome, writeAll } from './calls.ts';
import { dequeue, enqueue } from './enqueue.ts';
import { host } from './host.ts';

const [standardInput, standardOutput, standardError] = [0, 1, 2];

// How long an operation may look for an agent that is just starting, and wait for its answer, milliseconds. DEL and GC
// need not: they are queued. A STATUS that hangs would hang the kubelet's own status; the others are bounded by the
// runtime, and here in case it is not.
const connectWithin: Readonly<Record<string, number>> = { ADD: 5_000 };
const answerWithin: Readonly<Record<string, number>> = { STATUS: 2_000 };
const longestAnswer = 60_000;
const retryEvery = 100;

const variables: Record<string, string> = {};
for (const variable of host.environment()) {
  const at = variable.indexOf('=');
  variables[variable.slice(0, at)] = variable.slice(at + 1);
}
const command = variables['CNI_COMMAND'] ?? '';

function print(bytes: Uint8Array, code: number): never {
  try {
    writeAll(standardOutput, bytes);
  } catch {
    // Nobody reads it: the exit code is all that is left to say.
  }
  return host.exit(code);
}

function printText(text: string, code: number): never {
  return print(new TextEncoder().encode(text), code);
}

/** Standard input, or undefined when it is longer than the agent takes. */
function readStdin(): Uint8Array | undefined {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let chunk = readSome(standardInput); chunk.length > 0; chunk = readSome(standardInput)) {
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

interface Reply {
  readonly stdout: Uint8Array;
  readonly exit: number;
}

/** One exchange with the agent. Throws when nobody listens, or when there is no whole answer before the deadline. */
function exchange(path: string, request: Uint8Array, deadline: number): Reply {
  const connection = connectUnix(path);
  try {
    writeAll(connection, request, deadline);
    const reader = new FrameReader();
    for (;;) {
      const bytes = readSome(connection, deadline);
      if (bytes.length === 0) throw new Error('the agent ended the connection before its answer');
      const frame = reader.push(bytes);
      if (frame === undefined) continue;
      // Whatever protocol the agent speaks: the frame and this member never change.
      const { exit: code } = frame.header as { readonly exit?: unknown };
      if (typeof code !== 'number') throw new Error('the answer of the agent has no exit code');
      return { stdout: frame.body, exit: code };
    }
  } finally {
    host.close(connection);
  }
}

function isNobodyThere(error: unknown): boolean {
  return error instanceof SystemError && ['ENOENT', 'ECONNREFUSED'].includes(error.code);
}

/**
 * A DEL or GC without an agent: queued, so that a pod can end all the same. Then the agent is tried once more: it listens
 * before it reads the queue, so one that is not there now will find the entry. Returns why the call could not be queued.
 */
function later(config: Config, request: Uint8Array, deadline: number): string | undefined {
  const folder = `${config.socket.slice(0, config.socket.lastIndexOf('/'))}/${queueFolder}`;
  const name = entryName(variables, config.name);
  if (name === undefined) return 'a call without a sound key is not queued';
  let refusal: string | undefined;
  try {
    enqueue(host, folder, name, request);
  } catch (error) {
    refusal = error instanceof Error ? error.message : String(error);
  }
  let reply;
  try {
    reply = exchange(config.socket, request, deadline);
  } catch {
    // What is in the queue will be done, whatever becomes of the connection.
    return refusal;
  }
  if (refusal === undefined) dequeue(host, folder, name);
  return print(reply.stdout, reply.exit);
}

function main(): void {
  if (command === '') {
    // As the reference plugins do for somebody who tries the file by hand.
    const about = `berth: CNI plugin, versions ${supportedVersions.join(', ')}; a container runtime runs it\n`;
    writeAll(standardError, new TextEncoder().encode(about));
    host.exit(0);
  }
  // Without the agent and without reading standard input, which some callers leave open.
  if (command === 'VERSION') printText(JSON.stringify({ cniVersion: '1.1.0', supportedVersions }), 0);
  const stdin = readStdin();
  if (stdin === undefined)
    return printText(
      errorText('1.1.0', cniCode.decodeFailure, `the network configuration is longer than ${largestBody} bytes`),
      1,
    );
  const config = readConfig(stdin);
  const unavailable = command === 'STATUS' ? cniCode.notAvailable : cniCode.tryAgainLater;
  const fail = (message: string, details: string): never =>
    printText(errorText(config.cniVersion, unavailable, message, details), 1);
  const began = host.now();
  const deadline = began + (answerWithin[command] ?? longestAnswer);
  const request = encodeFrame({ protocol: protocolVersion, oldest: oldestProtocol, variables }, stdin);
  const until = began + (connectWithin[command] ?? 0);
  for (;;) {
    try {
      const reply = exchange(config.socket, request, deadline);
      return print(reply.stdout, reply.exit);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (host.now() >= deadline)
        return fail(`the berth agent did not answer ${command} in time`, `${config.socket}: ${why}`);
      const message = isNobodyThere(error) ? 'the berth agent is not running' : 'the berth agent did not answer';
      if (command === 'DEL' || command === 'GC') {
        const refusal = later(config, request, deadline);
        return refusal === undefined ? printText('', 0) : fail(message, `${config.socket}: ${why}; ${refusal}`);
      }
      if (!isNobodyThere(error) || host.now() + retryEvery > until) return fail(message, `${config.socket}: ${why}`);
      host.wait(-1, false, retryEvery);
    }
  }
}

main();
