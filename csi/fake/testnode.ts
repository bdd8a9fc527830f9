/** A node for tests: folders of its own, a storage service on a fake or real kernel, and clients that call its socket. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { createLogger } from '../../kit/log.ts';
import type { Service } from '../../kit/service.ts';
import { dial } from '../../protos/dial.ts';
import type { Caller } from '../../protos/dial.ts';
import type { ServiceName } from '../../protos/services.ts';
import type { VolumeCapability } from '../../protos/types/csi/v1/VolumeCapability.ts';
import { storageSchema } from '../config.ts';
import { createStorageService } from '../service.ts';
import type { StorageOptions } from '../service.ts';
import type { EngineKind } from '../volume.ts';
import { driverSocketPath } from '../serving.ts';

type MountCapability = { readonly fs_type?: string; readonly mount_flags?: string[] };
type Mode = 'SINGLE_NODE_WRITER' | 'SINGLE_NODE_READER_ONLY' | 'SINGLE_NODE_SINGLE_WRITER' | 'SINGLE_NODE_MULTI_WRITER';

/** A capability as a CO sends it. */
export function mountCapability(mount: MountCapability, mode: Mode = 'SINGLE_NODE_WRITER'): VolumeCapability {
  return { mount, access_mode: { mode } };
}

export function blockCapability(mode: Mode = 'SINGLE_NODE_WRITER'): VolumeCapability {
  return { block: {}, access_mode: { mode } };
}

export interface TestNodeOptions {
  readonly kernel?: NonNullable<StorageOptions['kernel']>;
  /** Where the node's folders are made; default: the temporary folder. */
  readonly base?: string;
  /** The pool's folder; default: one beside the node's folders. */
  readonly pool?: string;
  /** Default: none, and of a pool in memory 4 GiB. */
  readonly capacity?: string;
  /** Default: `image`. */
  readonly engine?: EngineKind;
  /** Names of pools in folders of their own below the node's, instead of the one called `default`. */
  readonly pools?: readonly string[];
  readonly trashRetention?: string;
  readonly atPoint?: StorageOptions['atPoint'];
  /** Takes every line of the log, as it would stand in a file. Default: only errors are made, and thrown away. */
  readonly onLog?: (line: string) => void;
  /** More of the `storage` section. */
  readonly storage?: Readonly<Record<string, unknown>>;
}

export class TestNode {
  readonly folder: string;
  readonly kubeletRoot: string;
  readonly pool: string;
  readonly registry = new Registry();
  readonly #options: TestNodeOptions;
  #service: Service | undefined;
  #clients: { close(): void }[] = [];

  private constructor(folder: string, options: TestNodeOptions) {
    this.folder = folder;
    this.kubeletRoot = join(folder, 'kubelet');
    this.pool = options.pool ?? join(folder, 'pool');
    this.#options = options;
  }

  static async make(options: TestNodeOptions = {}): Promise<TestNode> {
    const node = new TestNode(await mkdtemp(join(options.base ?? tmpdir(), 'bn-')), options);
    await mkdir(join(node.kubeletRoot, 'plugins'), { recursive: true });
    return node;
  }

  /** Starts the service; a running one is stopped first. */
  async start(): Promise<void> {
    await this.stop();
    this.registry.clear();
    const { kernel, trashRetention, engine, pools, atPoint, onLog } = this.#options;
    // A pool in memory has to have one.
    const capacity = this.#options.capacity ?? (engine === 'tmpfs' ? '4Gi' : undefined);
    const one = {
      name: 'default',
      path: this.pool,
      engine,
      trashRetention,
      ...(capacity === undefined ? {} : { capacity }),
    };
    const config = storageSchema.parse({
      pools: pools?.map((name) => ({ name, path: join(this.folder, name) })) ?? [one],
      runDir: join(this.folder, 'run'),
      ...this.#options.storage,
    });
    this.#service = createStorageService(config, {
      nodeName: 'node-a',
      kubeletRoot: this.kubeletRoot,
      log: createLogger(onLog === undefined ? 'error' : 'debug', { write: onLog ?? ((): void => undefined) }),
      registry: this.registry,
      ...(kernel === undefined ? {} : { kernel }),
      ...(atPoint === undefined ? {} : { atPoint }),
    });
    await this.#service.start(new AbortController().signal);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.#clients = [];
    await this.#service?.stop(AbortSignal.timeout(5_000));
    this.#service = undefined;
  }

  /** Stops and removes everything that lies below the node's folder. */
  async close(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true });
  }

  /** What is left of a pool whose disk is gone: a file where its folder was. The service is stopped. */
  async losePool(name: string): Promise<void> {
    await rename(join(this.folder, name), join(this.folder, `${name}-gone`));
    await writeFile(join(this.folder, name), '');
  }

  get socket(): string {
    return driverSocketPath(this.kubeletRoot, 'csi.berth.dev');
  }

  /** The service while it runs. */
  get service(): Service | undefined {
    return this.#service;
  }

  /** What `berth get` and `berth inspect` are told. */
  async view(name: string, of = ''): Promise<readonly object[]> {
    return (await this.#service?.views?.[name]?.(of)) ?? [];
  }

  /** What `berth undelete` has done. */
  async act(name: string, of: string): Promise<readonly object[]> {
    return (await this.#service?.actions?.[name]?.(of)) ?? [];
  }

  notReady(): string | undefined {
    return this.#service?.notReady();
  }

  get identity(): Caller<'csi.v1.Identity'> {
    return this.#dial('csi.v1.Identity');
  }

  get controller(): Caller<'csi.v1.Controller'> {
    return this.#dial('csi.v1.Controller');
  }

  get groups(): Caller<'csi.v1.GroupController'> {
    return this.#dial('csi.v1.GroupController');
  }

  get snapshotMetadata(): Caller<'csi.v1.SnapshotMetadata'> {
    return this.#dial('csi.v1.SnapshotMetadata');
  }

  get node(): Caller<'csi.v1.Node'> {
    return this.#dial('csi.v1.Node');
  }

  #dial<S extends Extract<ServiceName, `csi.${string}`>>(service: S): Caller<S> {
    const client = dial(service, this.socket, { timeoutMs: 30_000 });
    this.#clients.push(client);
    return client;
  }

  /** A staging folder as the kubelet makes it. */
  async stagingPath(name: string): Promise<string> {
    const path = join(this.kubeletRoot, 'plugins/kubernetes.io/csi/csi.berth.dev', name, 'globalmount');
    await mkdir(path, { recursive: true });
    return path;
  }

  /** A target whose parent the kubelet has made. */
  async targetPath(pod: string): Promise<string> {
    const parent = join(this.kubeletRoot, 'pods', pod, 'volumes/kubernetes.io~csi/pv');
    await mkdir(parent, { recursive: true });
    return join(parent, 'mount');
  }
}
