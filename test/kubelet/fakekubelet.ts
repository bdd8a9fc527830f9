/**
 * A scripted kubelet: its device manager's side of the device plugin protocol over real sockets, with the behaviours a
 * good kubelet never shows. It runs no pods.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientReadableStream } from '@grpc/grpc-js';
import { pause } from '../../kit/backoff.ts';
import { BerthError } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { dial } from '../../protos/dial.ts';
import type { Caller } from '../../protos/dial.ts';
import { answers, serve } from '../../protos/serve.ts';
import type { GrpcServer } from '../../protos/serve.ts';
import type { ContainerAllocateResponse__Output } from '../../protos/types/v1beta1/ContainerAllocateResponse.ts';
import type { ListAndWatchResponse__Output } from '../../protos/types/v1beta1/ListAndWatchResponse.ts';
import type { RegisterRequest__Output } from '../../protos/types/v1beta1/RegisterRequest.ts';
import { startFakeWatcher } from './fakewatcher.ts';
import type { FakeWatcher } from './fakewatcher.ts';
import type { KnownResource, KubeletScript } from './kubeletscript.ts';

interface Client {
  readonly key: string;
  readonly resource: string;
  readonly plugin: Caller<'v1beta1.DevicePlugin'>;
  streams: ClientReadableStream<ListAndWatchResponse__Output>[];
}

export class FakeKubelet {
  readonly resources = new Map<string, KnownResource>();
  readonly registrations: Pick<RegisterRequest__Output, 'endpoint' | 'resource_name'>[] = [];
  /** Most calls of Register that were in progress at once. */
  mostRegistering = 0;
  readonly script: KubeletScript;
  readonly directory: string;
  readonly registry: string;
  readonly #log: Logger;
  readonly #clients = new Map<string, Client>();
  readonly #waiting = new Set<() => void>();
  #server: GrpcServer | undefined;
  #watcher: FakeWatcher | undefined;
  #registering = 0;

  constructor(rootDir: string, log: Logger, script: KubeletScript = {}) {
    this.directory = join(rootDir, 'device-plugins');
    this.registry = join(rootDir, 'plugins_registry');
    this.#log = log;
    this.script = script;
  }

  /**
   * Starts as the kubelet does: makes its directories, removes every socket of device plugins, serves kubelet.sock, and
   * looks for sockets of plugins in the registry, which it does not clean.
   */
  async start(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    await mkdir(this.registry, { recursive: true, mode: 0o755 });
    for (const entry of await readdir(this.directory, { withFileTypes: true }))
      if (entry.isSocket()) await rm(join(this.directory, entry.name), { force: true });
    this.#server = await serve({
      path: join(this.directory, 'kubelet.sock'),
      services: { 'v1beta1.Registration': { Register: (request) => this.#register(request) } },
      log: this.#log,
    });
    this.#watcher = startFakeWatcher(this.registry, {
      register: (resource, path) => this.#connect(resource, path),
      deregister: (resource, path) => {
        for (const client of this.#clients.values())
          if (client.key === this.#keyOf(resource, path)) this.#disconnect(client);
      },
    });
  }

  /** Ends as a killed kubelet does: every connection breaks. */
  async stop(): Promise<void> {
    for (const client of this.#clients.values()) this.#disconnect(client);
    this.resources.clear();
    await this.#watcher?.stop();
    await this.#server?.stop(AbortSignal.abort());
    this.#changed();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends the stream of a resource, as after an error; the kubelet never opens it again. */
  endStream(resource: string): void {
    for (const client of this.#clients.values()) if (client.resource === resource) this.#disconnect(client);
  }

  /** Reads on after `stopsReading`. */
  resume(): void {
    for (const { streams } of this.#clients.values()) for (const stream of streams) stream.resume();
  }

  async allocate(resource: string, ids: string[]): Promise<ContainerAllocateResponse__Output | undefined> {
    const answer = await this.#pluginOf(resource).Allocate({ container_requests: [{ devices_ids: ids }] });
    return answer.container_responses[0];
  }

  /** Asks which of the healthy devices to take, as at the admission of a pod that wants so many. */
  async preferred(resource: string, size: number, mustInclude: string[] = []): Promise<readonly string[]> {
    const healthy = Object.entries(this.resources.get(resource)?.health ?? {}).filter(
      ([, state]) => state === 'Healthy',
    );
    const request = {
      available_deviceIDs: healthy.map(([id]) => id),
      must_include_deviceIDs: mustInclude,
      allocation_size: size,
    };
    const answer = await this.#pluginOf(resource).GetPreferredAllocation({ container_requests: [request] });
    return answer.container_responses[0]?.deviceIDs ?? [];
  }

  /** Asks before the start of a container. */
  async preStart(resource: string, ids: string[]): Promise<void> {
    await this.#pluginOf(resource).PreStartContainer({ devices_ids: ids });
  }

  /** Resolves when the condition holds; it is looked at after every event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
      });
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #keyOf(resource: string, path: string): string {
    return this.script.oldStreamKillsNew === true ? resource : `${resource} ${path}`;
  }

  #pluginOf(resource: string): Caller<'v1beta1.DevicePlugin'> {
    const client = [...this.#clients.values()].find((each) => each.resource === resource);
    if (client === undefined) throw new BerthError('NOT_FOUND', `the kubelet has no plugin for ${resource}`);
    return client.plugin;
  }

  async #register({ resource_name: resource, endpoint }: RegisterRequest__Output): Promise<object> {
    this.mostRegistering = Math.max(this.mostRegistering, ++this.#registering);
    try {
      await this.#connect(resource, join(this.directory, endpoint));
      return {};
    } finally {
      this.#registering--;
    }
  }

  /** Connects to a plugin as both ways of registration do: dial and wait, ask for options, answer, and only then watch. */
  async #connect(resource: string, path: string): Promise<void> {
    const endpoint = path.slice(path.lastIndexOf('/') + 1);
    this.registrations.push({ endpoint, resource_name: resource });
    this.#changed();
    if (this.script.refuse !== undefined) throw new BerthError('INVALID_ARGUMENT', this.script.refuse);
    await this.#dialBlocking(path);
    const plugin = dial('v1beta1.DevicePlugin', path, { authority: this.script.authority?.(path) ?? 'localhost' });
    const client: Client = { key: this.#keyOf(resource, path), resource, plugin, streams: [] };
    try {
      const options = await plugin.GetDevicePluginOptions({});
      this.#clients.set(client.key, client);
      const { capacity = 0 } = this.resources.get(resource) ?? {};
      this.resources.set(resource, { endpoint, options, health: {}, numa: {}, lists: 0, capacity });
    } catch (thrown) {
      plugin.close();
      throw thrown;
    }
    if (this.script.neverWatches !== true)
      setImmediate(() => {
        this.#watch(client, endpoint);
        if (this.script.watchesTwice === true) this.#watch(client, endpoint);
      });
  }

  /** As a blocking dial of grpc-go: a socket that nobody serves yet is tried again until the time is over. */
  async #dialBlocking(path: string): Promise<void> {
    const over = AbortSignal.timeout(this.script.dialMs ?? 10_000);
    while (!(await answers(path)))
      if (!(await pause(20, over))) throw new BerthError('TIMED_OUT', `dialing ${path}: context deadline exceeded`);
  }

  #watch(client: Client, endpoint: string): void {
    const { resource } = client;
    const stream = client.plugin.ListAndWatch({});
    client.streams.push(stream);
    stream.on('data', ({ devices }: ListAndWatchResponse__Output) => {
      const known = this.resources.get(resource);
      if (known === undefined) return;
      const health = Object.fromEntries(devices.map(({ ID, health: state }) => [ID, state]));
      const numa = Object.fromEntries(
        devices.flatMap(({ ID, topology }) =>
          topology === null ? [] : [[ID, topology.nodes.map((node) => Number(node.ID))]],
        ),
      );
      this.resources.set(resource, { ...known, health, numa, lists: known.lists + 1, capacity: devices.length });
      if (stream === client.streams[1]) client.streams[0]?.cancel();
      this.#changed();
    });
    if (this.script.stopsReading === true) stream.pause();
    stream.on('error', () => undefined);
    stream.on('close', () => {
      client.streams = client.streams.filter((each) => each !== stream);
      if (client.streams.length > 0) return;
      const known = this.resources.get(resource);
      if (known?.endpoint === endpoint) this.#forgetLater(resource, { ...known, health: {} });
      // With the resource alone as key this is the newest client, not the one that has just ended: the fault up to 1.35.
      const current = this.#clients.get(client.key);
      if (current !== undefined) this.#disconnect(current);
      this.#changed();
    });
  }

  /** Devices whose stream has ended count on until the grace is over, unless their plugin registers anew before. */
  #forgetLater(resource: string, ended: KnownResource): void {
    this.resources.set(resource, ended);
    const forget = (): void => {
      if (this.resources.get(resource) === ended) this.resources.set(resource, { ...ended, capacity: 0 });
      this.#changed();
    };
    setTimeout(forget, this.script.graceMs ?? 300_000).unref();
  }

  #disconnect(client: Client): void {
    if (this.#clients.get(client.key) === client) this.#clients.delete(client.key);
    for (const stream of client.streams) stream.cancel();
    client.plugin.close();
  }
}
