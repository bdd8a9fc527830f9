/** The real process for tests, as Kubernetes starts it: its log, its end, and a configuration without a kubelet. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';

export interface Berth {
  readonly child: ChildProcess;
  /** What it logged so far, one object a line. */
  readonly logged: readonly Record<string, unknown>[];
  /** Waits for a line with this event. */
  readonly seen: (event: string) => Promise<Record<string, unknown>>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

export interface Agents {
  /** Before each test. */
  readonly begin: () => Promise<void>;
  /** After each test: kills what still runs, and removes the folder. */
  readonly end: () => Promise<void>;
  /** Of the test. */
  readonly folder: string;
  /** Starts the program with these words. */
  berth(...words: readonly string[]): Berth;
  /** Writes, and replaces, a configuration with a device plugin; without a kubelet it starts, and waits for one. */
  writeConfig(port: number, more?: string): Promise<string>;
}

export function createAgents(): Agents {
  let folder = '';
  const running: ChildProcess[] = [];
  return {
    begin: async () => {
      folder = await mkdtemp(join(tmpdir(), 'berth-agent-'));
    },
    end: async () => {
      for (const child of running.splice(0)) child.kill('SIGKILL');
      await rm(folder, { recursive: true });
    },
    get folder() {
      return folder;
    },
    berth: (...words) => {
      const started = start(words);
      running.push(started.child);
      return started;
    },
    writeConfig: async (port, more = '') => {
      const file = join(folder, 'config.yaml');
      const devices = 'devices: {resources: [{name: berth.dev/null, paths: [/dev/null]}]}';
      await writeFile(
        `${file}.new`,
        `${head}agent: {port: ${port}, socket: ${folder}/agent.sock${more}}\nkubelet: {rootDir: ${folder}}\n${devices}\n`,
      );
      // An agent that follows it is told by the event.
      await rename(`${file}.new`, file);
      return file;
    },
  };
}

function start(words: readonly string[]): Berth {
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const logged: Record<string, unknown>[] = [];
  const written = new EventEmitter();
  let rest = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    logged.push(
      ...lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>),
    );
    written.emit('lines');
  });
  const seen = async (event: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = logged.find((line) => line['event'] === event);
      if (found !== undefined) return found;
      await once(written, 'lines');
    }
  };
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, logged, seen, ended };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
