/**
 * A scripted kubelet: its device manager's side of the device plugin protocol over real sockets, with the behaviours a
 * good kubelet never shows. It runs no pods.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientReadableStream } from '@grpc/grpc-js';
import { BerthError } from '../../kit/errors.ts';
import type { Logger } from '../../kit/log.ts';
import { dial } from '../../protos/dial.ts';
import type { Caller } from '../../protos/dial.ts';
import { serve } from '../../protos/serve.ts';
import type { GrpcServer } from '../../protos/serve.ts';
import type { ContainerAllocateResponse__Output } from '../../protos/types/v1beta1/ContainerAllocateResponse.ts';
import type { ListAndWatchResponse__Output } from '../../protos/types/v1beta1/ListAndWatchResponse.ts';
import type { RegisterRequest__Output } from '../../protos/types/v1beta1/RegisterRequest.ts';

export interface KubeletScript {
  /** The `:authority` of its calls to a plugin. Default `localhost`, as since Kubernetes 1.26. */
  authority?: (path: string) => string;
  /** Up to 1.35: the end of an old stream disconnects the newest client of the same resource. */
  oldStreamKillsNew?: boolean;
  /** Refuses registrations with this text. */
  refuse?: string;
  /** Answers Register and never opens ListAndWatch. */
  neverWatches?: boolean;
  /** Opens ListAndWatch and reads nothing until `resume`. */
  stopsReading?: boolean;
}

/** What the kubelet knows of a resource. `health` is by device ID and empty once the stream has ended. */
export interface KnownResource {
  readonly endpoint: string;
  readonly health: Readonly<Record<string, string>>;
  readonly lists: number;
}

interface Client {
  readonly key: string;
  readonly plugin: Caller<'v1beta1.DevicePlugin'>;
  stream?: ClientReadableStream<ListAndWatchResponse__Output>;
}

export class FakeKubelet {
  readonly resources = new Map<string, KnownResource>();
  readonly registrations: RegisterRequest__Output[] = [];
  /** Most calls of Register that were in progress at once. */
  mostRegistering = 0;
  readonly script: KubeletScript;
  readonly directory: string;
  readonly #log: Logger;
  readonly #clients = new Map<string, Client>();
  readonly #waiting = new Set<() => void>();
  #server: GrpcServer | undefined;
  #registering = 0;

  constructor(rootDir: string, log: Logger, script: KubeletScript = {}) {
    this.directory = join(rootDir, 'device-plugins');
    this.#log = log;
    this.script = script;
  }

  /** Starts as the kubelet does: makes its directory, removes every socket there, then serves kubelet.sock. */
  async start(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o750 });
    for (const entry of await readdir(this.directory, { withFileTypes: true }))
      if (entry.isSocket()) await rm(join(this.directory, entry.name), { force: true });
    this.#server = await serve({
      path: join(this.directory, 'kubelet.sock'),
      services: { 'v1beta1.Registration': { Register: (request) => this.#register(request) } },
      log: this.#log,
    });
  }

  /** Ends as a killed kubelet does: every connection breaks. */
  async stop(): Promise<void> {
    for (const client of this.#clients.values()) this.#disconnect(client);
    this.resources.clear();
    await this.#server?.stop(AbortSignal.abort());
    this.#changed();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Ends the stream of a resource, as after an error; the kubelet never opens it again. */
  endStream(resource: string): void {
    for (const client of this.#clients.values()) if (client.key.startsWith(resource)) this.#disconnect(client);
  }

  /** Reads on after `stopsReading`. */
  resume(): void {
    for (const { stream } of this.#clients.values()) stream?.resume();
  }

  async allocate(resource: string, ids: string[]): Promise<ContainerAllocateResponse__Output | undefined> {
    const client = [...this.#clients.values()].find(({ key }) => key.startsWith(resource));
    const answer = await client?.plugin.Allocate({ container_requests: [{ devices_ids: ids }] });
    return answer?.container_responses[0];
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

  async #register(request: RegisterRequest__Output): Promise<object> {
    const { resource_name: resource, endpoint } = request;
    this.mostRegistering = Math.max(this.mostRegistering, ++this.#registering);
    try {
      this.registrations.push(request);
      this.#changed();
      if (this.script.refuse !== undefined) throw new BerthError('INVALID_ARGUMENT', this.script.refuse);
      const path = join(this.directory, endpoint);
      const plugin = dial('v1beta1.DevicePlugin', path, { authority: this.script.authority?.(path) ?? 'localhost' });
      const client: Client = {
        key: this.script.oldStreamKillsNew === true ? resource : `${resource} ${endpoint}`,
        plugin,
      };
      try {
        await plugin.GetDevicePluginOptions({});
      } catch (thrown) {
        plugin.close();
        throw thrown;
      }
      this.#clients.set(client.key, client);
      this.resources.set(resource, { endpoint, health: {}, lists: 0 });
      if (this.script.neverWatches !== true)
        setImmediate(() => {
          this.#watch(client, resource, endpoint);
        });
      return {};
    } finally {
      this.#registering--;
    }
  }

  #watch(client: Client, resource: string, endpoint: string): void {
    const stream = client.plugin.ListAndWatch({});
    client.stream = stream;
    stream.on('data', ({ devices }: ListAndWatchResponse__Output) => {
      const health = Object.fromEntries(devices.map(({ ID, health: state }) => [ID, state]));
      const lists = (this.resources.get(resource)?.lists ?? 0) + 1;
      this.resources.set(resource, { endpoint, health, lists });
      this.#changed();
    });
    if (this.script.stopsReading === true) stream.pause();
    stream.on('error', () => undefined);
    stream.on('close', () => {
      const known = this.resources.get(resource);
      if (known?.endpoint === endpoint) this.resources.set(resource, { ...known, health: {} });
      // With the resource alone as key this is the newest client, not the one that has just ended: the fault up to 1.35.
      const current = this.#clients.get(client.key);
      if (current !== undefined) this.#disconnect(current);
      this.#changed();
    });
  }

  #disconnect(client: Client): void {
    if (this.#clients.get(client.key) === client) this.#clients.delete(client.key);
    client.stream?.cancel();
    client.plugin.close();
  }
}
