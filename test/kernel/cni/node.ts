// A node made of namespaces: one for the node itself, one for the world outside, one for each pod; the agent runs inside.
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Interface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordName } from '../../../cni/attachment.ts';
import { networkSchema } from '../../../cni/config.ts';
import type { NetworkConfig } from '../../../cni/config.ts';

export interface Answer {
  readonly exit: number;
  readonly stdout: string;
}

/** A process whose lines can be awaited one by one. */
export class Talker {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(process: ChildProcess) {
    this.process = process;
    if (process.stdout === null) throw new Error('the process has no output');
    const reader: Interface = createInterface({ input: process.stdout });
    this.#lines = reader[Symbol.asyncIterator]();
  }

  /** The next line; fails when the process ends before it. */
  async line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error('the process ended without another line');
    return next.value;
  }

  async rest(): Promise<string> {
    const lines: string[] = [];
    for (let next = await this.#lines.next(); next.done !== true; next = await this.#lines.next())
      lines.push(next.value);
    return lines.join('\n');
  }
}

let count = 0;

export class TestNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-cni-'));
  readonly config: NetworkConfig;
  readonly nodeAddress = '192.0.2.1';
  readonly worldAddress = '192.0.2.2';
  readonly nodeAddress6 = '2001:db8::1';
  readonly worldAddress6 = '2001:db8::2';
  readonly #shimPath: string;
  readonly #prefix = `bcni${process.pid}-${++count}`;
  readonly #namespaces = new Set<string>();
  readonly #processes = new Set<ChildProcess>();
  #agent: Talker | undefined;
  agentLog = '';
  /** Milliseconds between the agent's looks for pods that have gone; the usual ones when undefined. */
  reapEveryMs: number | undefined;

  constructor(shimPath: string, podCIDR: string | readonly string[] = '10.244.7.0/24') {
    this.#shimPath = shimPath;
    this.config = networkSchema.parse({
      podCIDR,
      // Shared by all nodes of a test file, or each would copy and sync 100 MB.
      cniBinDir: join(dirname(shimPath), 'bin'),
      cniConfDir: join(this.folder, 'net.d'),
      runDir: join(this.folder, 'run'),
    });
    this.addNamespace('node');
    this.addNamespace('world');
    this.ip(
      'node',
      'link',
      'add',
      'uplink',
      'mtu',
      '1400',
      'type',
      'veth',
      'peer',
      'eth0',
      'netns',
      this.name('world'),
    );
    this.ip('node', 'address', 'add', `${this.nodeAddress}/24`, 'dev', 'uplink');
    this.ip('world', 'address', 'add', `${this.worldAddress}/24`, 'dev', 'eth0');
    this.ip('node', 'address', 'add', `${this.nodeAddress6}/64`, 'dev', 'uplink', 'nodad');
    this.ip('world', 'address', 'add', `${this.worldAddress6}/64`, 'dev', 'eth0', 'nodad');
    for (const [where, link] of [
      ['node', 'lo'],
      ['node', 'uplink'],
      ['world', 'lo'],
      ['world', 'eth0'],
    ] as const)
      this.ip(where, 'link', 'set', link, 'up');
    this.ip('node', 'route', 'add', 'default', 'via', this.worldAddress);
    this.ip('node', '-6', 'route', 'add', 'default', 'via', this.worldAddress6);
  }

  name(namespace: string): string {
    return `${this.#prefix}-${namespace}`;
  }

  path(namespace: string): string {
    return `/run/netns/${this.name(namespace)}`;
  }

  addNamespace(namespace: string): void {
    execFileSync('ip', ['netns', 'add', this.name(namespace)]);
    this.#namespaces.add(namespace);
  }

  removeNamespace(namespace: string): void {
    execFileSync('ip', ['netns', 'del', this.name(namespace)]);
    this.#namespaces.delete(namespace);
  }

  /** Runs `ip` in a namespace and returns what it prints. */
  ip(namespace: string, ...args: readonly string[]): string {
    return execFileSync('ip', ['-n', this.name(namespace), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  nft(...args: readonly string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name('node'), 'nft', ...args], { encoding: 'utf8' });
  }

  #spawn(namespace: string, script: string, args: readonly string[], env: Record<string, string> = {}): Talker {
    const child = spawn(
      'ip',
      ['netns', 'exec', this.name(namespace), process.execPath, join(import.meta.dirname, script), ...args],
      // Stripping types and compiling is a third of an agent's start, and a test file starts up to a hundred.
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(this.#shimPath), 'compiled'), ...env },
      },
    );
    this.#processes.add(child);
    child.on('exit', () => this.#processes.delete(child));
    return new Talker(child);
  }

  async startAgent(crashAt = '', change: Partial<NetworkConfig> = {}): Promise<void> {
    const { reapEveryMs } = this;
    const argument = JSON.stringify({ config: { ...this.config, ...change }, shimPath: this.#shimPath, reapEveryMs });
    this.#agent = this.#spawn('node', 'agent.ts', [argument], { CRASH_AT: crashAt });
    this.#agent.process.stderr?.on('data', (chunk: Buffer) => (this.agentLog += chunk.toString()));
    try {
      await this.#agent.line();
    } catch (error) {
      throw new Error(`the agent did not start: ${this.agentLog}`, { cause: error });
    }
  }

  /** Has the agent kill itself before or after one of its next effects, counted from 1, or stop before it; 0 spares it. */
  async doom(when: 'before' | 'after' | 'stop', effect: number): Promise<void> {
    this.#agent?.process.stdin?.write(`${when} ${effect}\n`);
    await this.#agent?.line();
  }

  /** Whether the agent stands still. */
  get agentStopped(): boolean {
    const pid = this.#agent?.process.pid;
    return /\) T /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  }

  resumeAgent(): void {
    this.#agent?.process.kill('SIGCONT');
  }

  get agentPid(): number {
    return this.#agent?.process.pid ?? 0;
  }

  /** Whether an agent runs. */
  get agentLives(): boolean {
    return this.#agent?.process.exitCode === null && this.#agent.process.signalCode === null;
  }

  /** Ends the agent and returns what it printed, with SIGTERM its metrics. */
  async stopAgent(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<string> {
    this.#agent?.process.kill(signal);
    return await this.agentEnd();
  }

  async agentEnd(): Promise<string> {
    return (await this.#agent?.rest()) ?? '';
  }

  /** Calls the installed executable as a runtime does. */
  async cni(command: string, variables: Record<string, string>, config: Record<string, unknown> = {}): Promise<Answer> {
    const answer = await this.execute(command, variables, this.#document(config));
    if (command === 'DEL' && answer.exit === 0) await this.#released(variables);
    return answer;
  }

  /** Starts the executable with a call and does not wait for it. */
  launch(command: string, variables: Record<string, string>, config: Record<string, unknown> = {}): ChildProcess {
    return this.#launch(command, variables, this.#document(config), () => undefined);
  }

  async execute(command: string, variables: Record<string, string>, stdin: string): Promise<Answer> {
    return await new Promise((resolve) => {
      this.#launch(command, variables, stdin, resolve);
    });
  }

  #document(config: Record<string, unknown>): string {
    const socket = join(this.config.runDir, 'cni.sock');
    return JSON.stringify({ cniVersion: '1.1.0', name: 'berth', type: 'berth', socket, ...config });
  }

  #launch(
    command: string,
    variables: Record<string, string>,
    stdin: string,
    done: (answer: Answer) => void,
  ): ChildProcess {
    const child = execFile(
      join(this.config.cniBinDir, 'berth'),
      { env: { CNI_COMMAND: command, CNI_PATH: this.config.cniBinDir, ...variables } },
      (error, stdout) => {
        done({ exit: error === null ? 0 : Number(error.code ?? -1), stdout });
      },
    );
    // It may have ended without reading what it does not need.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
    return child;
  }

  variables(pod: string): Record<string, string> {
    return {
      CNI_CONTAINERID: `container-${pod}`,
      CNI_NETNS: this.path(pod),
      CNI_IFNAME: 'eth0',
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod};K8S_POD_UID=u-1`,
    };
  }

  async add(pod: string, config: Record<string, unknown> = {}): Promise<Answer> {
    return await this.cni('ADD', this.variables(pod), config);
  }

  async del(pod: string, variables: Record<string, string> = {}): Promise<Answer> {
    return await this.cni('DEL', { ...this.variables(pod), ...variables });
  }

  /** The answer to DEL comes before the link is gone; the record goes last. An agent that is gone does it at its start. */
  async #released(variables: Record<string, string>): Promise<void> {
    const key = { containerID: variables['CNI_CONTAINERID'] ?? '', ifname: variables['CNI_IFNAME'] ?? '' };
    const record = join(this.config.runDir, 'attachments', recordName(key));
    const until = performance.now() + 20_000;
    while (existsSync(record) && this.agentLives) {
      if (performance.now() > until) throw new Error(`the record of ${key.containerID} stays: ${this.agentLog}`);
      await sleep(2);
    }
  }

  /** A pod: its namespace and an ADD. Returns its address. */
  async addPod(pod: string): Promise<string> {
    this.addNamespace(pod);
    return addressOf(await this.add(pod));
  }

  /** Starts a listener in a namespace. */
  async serve(namespace: string): Promise<void> {
    await this.#spawn(namespace, 'peer.ts', ['serve']).line();
  }

  /** Connects from a namespace to the listener at an address; the answer is the address it saw. */
  async ask(namespace: string, address: string, port = 7700): Promise<string> {
    return await this.#spawn(namespace, 'peer.ts', ['ask', address, String(port)]).line();
  }

  /** Starts one of the other modes of the peer and waits for its first line. */
  async talk(namespace: string, ...args: readonly string[]): Promise<Talker> {
    const talker = this.#spawn(namespace, 'peer.ts', args);
    await talker.line();
    return talker;
  }

  /** Sends bytes from a namespace to the `sink` at an address; the milliseconds until all had arrived. */
  async push(namespace: string, address: string, bytes: number): Promise<number> {
    return Number(await this.#spawn(namespace, 'peer.ts', ['push', address, '7700', String(bytes)]).line());
  }

  /** Opens a connection that stays. */
  async hold(namespace: string, address: string): Promise<Talker> {
    const talker = this.#spawn(namespace, 'peer.ts', ['hold', address]);
    await talker.line();
    return talker;
  }

  /** Names of the links in the node's namespace that no uplink explains. */
  podLinks(): readonly string[] {
    const links = JSON.parse(this.ip('node', '-json', 'link', 'show')) as { readonly ifname: string }[];
    return links.map((link) => link.ifname).filter((name) => name.startsWith('veth'));
  }

  podRoutes(): readonly string[] {
    const routes = JSON.parse(this.ip('node', '-json', 'route', 'show')) as {
      readonly dst: string;
      readonly dev: string;
    }[];
    return routes.filter((route) => route.dev.startsWith('veth')).map((route) => route.dst);
  }

  records(): readonly string[] {
    return readdirSync(join(this.config.runDir, 'attachments'));
  }

  /** Takes all pods and talkers away, for the next test on the same node. */
  async clear(): Promise<void> {
    for (const child of this.#processes) if (child !== this.#agent?.process) child.kill('SIGKILL');
    await this.cni('GC', {}, { 'cni.dev/valid-attachments': [] });
    for (const namespace of this.#namespaces)
      if (namespace !== 'node' && namespace !== 'world') this.removeNamespace(namespace);
  }

  dispose(): void {
    for (const child of this.#processes) child.kill('SIGKILL');
    for (const namespace of this.#namespaces) execFileSync('ip', ['netns', 'del', this.name(namespace)]);
    // A killed process may still be writing: try again.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** All addresses in the answer of an ADD. */
export function addressesOf(answer: Answer): readonly string[] {
  const { ips = [] } = JSON.parse(answer.stdout) as { readonly ips?: readonly { readonly address: string }[] };
  return ips.map(({ address }) => address.replace(/\/.*/, ''));
}

/** The pod's address in the answer of an ADD. */
export function addressOf(answer: Answer): string {
  const { ips } = JSON.parse(answer.stdout) as { readonly ips?: readonly { readonly address: string }[] };
  const address = ips?.[0]?.address;
  if (address === undefined) throw new Error(`ADD failed: ${answer.stdout}`);
  return address.replace('/32', '');
}
