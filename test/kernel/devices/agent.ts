/** The agent as a process of its own, with the section `devices` and nothing else: to be frozen, killed, and starved. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface AgentProcess {
  readonly pid: number;
  /** Where `berth get` and `berth explain` ask it. */
  readonly socket: string;
  /** Its metrics, as text; asked in its network namespace, whose loopback must be up. */
  metrics(): Promise<string>;
  /** What it has logged itself; another agent may have before, in the same folder. */
  readonly log: () => string;
  kill(signal: NodeJS.Signals): void;
  /** Ends it however it is, and waits until it has. */
  end(): Promise<void>;
}

const main = join(import.meta.dirname, '../../../agent/main.ts');

/** Starts it, by another program where one is given. Its files are in `folder`. */
export async function startAgent(folder: string, devices: object, by: readonly string[] = []): Promise<AgentProcess> {
  const [file, socket, logFile] = [join(folder, 'agent.json'), join(folder, 'agent.sock'), join(folder, 'agent.log')];
  const port = await freePort();
  const config = {
    apiVersion: 'berth.dev/v1alpha1',
    kind: 'NodeConfig',
    agent: { port, socket, stateDir: join(folder, 'state') },
    kubelet: { rootDir: folder },
    devices: { cdiDir: join(folder, 'cdi'), ...devices },
  };
  writeFileSync(file, JSON.stringify(config));
  const log = openSync(logFile, 'a');
  const before = fstatSync(log).size;
  const command = [...by, process.execPath, main, 'run', '--config', file];
  const child = spawn(command[0] ?? process.execPath, command.slice(1), { stdio: ['ignore', log, log] });
  closeSync(log);
  const gone = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    socket,
    metrics: async () => {
      const ask = `fetch('http://127.0.0.1:${port}/metrics').then((answer) => answer.text()).then(console.log)`;
      const enter = ['--target', `${child.pid}`, '--net', process.execPath, '--eval', ask];
      return (await promisify(execFile)('nsenter', enter)).stdout;
    },
    log: () => readFileSync(logFile).toString('utf8', before),
    kill: (signal) => child.kill(signal),
    end: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
