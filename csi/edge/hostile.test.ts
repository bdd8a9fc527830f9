// Hostile text in every field of every request, valid otherwise: answered, never followed out of the node's folders, never in the log as it is.
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FakeStorageKernel } from '../../linux/fake/storage.ts';
import { hostileTexts, plantCanary } from '../fake/corpus.ts';
import { listing } from '../fake/listing.ts';
import { permitted, refusalOf } from '../fake/permitted.ts';
import { mountCapability, TestNode } from '../fake/testnode.ts';
import { rpcMethods, textPlaces } from '../fake/textplaces.ts';

type Request = Readonly<Record<string, unknown>>;

/** In memory, where there is such a folder: it is not the disk that is tested here. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const kernel = new FakeStorageKernel(8n << 30n);
const ext4 = mountCapability({ fs_type: 'ext4', mount_flags: ['noatime'] });
const range = { required_bytes: '67108864' };
const inlineKey = 'csi.storage.k8s.io/ephemeral';

let folder = '';
let host: TestNode;
let texts: readonly string[] = [];
let outside: readonly string[] = [];
const lines: string[] = [];
/** By service: a getter of the node dials anew. */
let clients: Readonly<Record<string, object>> = {};
let [kept, snapshot, base0, group, staging, target] = ['', '', '', '', '', ''];

beforeAll(async () => {
  folder = await mkdtemp(join(base, 'hostile-'));
  const storage = { central: true, health: 'full', ephemeral: { enabled: true, maxSize: '64Mi' } };
  host = await TestNode.make({ kernel, base: folder, storage, onLog: (line) => lines.push(line) });
  const surroundings = { kubeletRoot: host.kubeletRoot, canary: join(folder, 'canary') };
  await plantCanary(surroundings);
  texts = hostileTexts(surroundings);
  await host.start();
  clients = {
    'csi.v1.Identity': host.identity,
    'csi.v1.Controller': host.controller,
    'csi.v1.GroupController': host.groups,
    'csi.v1.SnapshotMetadata': host.snapshotMetadata,
    'csi.v1.Node': host.node,
  };
  [staging, target] = [await host.stagingPath('kept'), await host.targetPath('kept')];
  kept = await create('kept');
  [base0, snapshot] = [await snap('base'), await snap('kept')];
  group = (await take('kept')).group_snapshot_id;
  await stage();
  await publish();
  outside = await listing(folder, ownFolders());
});
afterAll(async () => {
  await host.stop();
  await rm(folder, { recursive: true });
});

async function call(service: string, method: string, request: Request): Promise<Request> {
  const methods = clients[service] as Readonly<Record<string, (request: Request) => unknown>>;
  const answer = methods[method]?.(request);
  if (answer instanceof Promise) return (await answer) as Request;
  await Array.fromAsync(answer as AsyncIterable<unknown>);
  return {};
}

const controller = (method: string, request: Request): Promise<Request> => call('csi.v1.Controller', method, request);
const node = (method: string, request: Request): Promise<Request> => call('csi.v1.Node', method, request);

async function create(name: string): Promise<string> {
  const wanted = { name, capacity_range: range, volume_capabilities: [ext4] };
  const { volume } = await controller('CreateVolume', wanted);
  return (volume as { readonly volume_id: string }).volume_id;
}
async function snap(name: string): Promise<string> {
  const { snapshot } = await controller('CreateSnapshot', { name, source_volume_id: kept });
  return (snapshot as { readonly snapshot_id: string }).snapshot_id;
}
interface Group {
  readonly group_snapshot_id: string;
  readonly snapshots: readonly { readonly snapshot_id: string }[];
}
async function take(name: string): Promise<Group> {
  const { group_snapshot } = await call('csi.v1.GroupController', 'CreateVolumeGroupSnapshot', {
    name,
    source_volume_ids: [kept],
  });
  return group_snapshot as Group;
}
const staged = (): Request => ({ volume_id: kept, staging_target_path: staging, volume_capability: ext4 });
const published = (): Request => ({ ...staged(), target_path: target });
const stage = (): Promise<Request> => node('NodeStageVolume', staged());
const publish = (): Promise<Request> => node('NodePublishVolume', published());
const unpublish = (): Promise<Request> => node('NodeUnpublishVolume', { volume_id: kept, target_path: target });

/** What a CO would send, after everything that has to be there for it: made anew where a call before has taken it away. */
const valid: Readonly<Record<string, () => Request | Promise<Request>>> = {
  CreateVolume: () => ({
    name: 'new',
    capacity_range: range,
    volume_capabilities: [ext4],
    parameters: { pool: 'default', provisioning: 'thick', 'csi.storage.k8s.io/pvc/name': 'claim' },
    mutable_parameters: {},
  }),
  DeleteVolume: async () => ({ volume_id: await create('doomed') }),
  ControllerPublishVolume: () => ({ volume_id: kept, node_id: 'node-a', volume_capability: ext4 }),
  ControllerUnpublishVolume: () => ({ volume_id: kept, node_id: 'node-a' }),
  ValidateVolumeCapabilities: () => ({ volume_id: kept, volume_capabilities: [ext4] }),
  ListVolumes: () => ({}),
  ControllerListVolumeHealth: () => ({}),
  ControllerGetVolumeHealth: () => ({ volume_id: kept }),
  GetCapacity: () => ({ volume_capabilities: [ext4], parameters: { pool: 'default' } }),
  CreateSnapshot: () => ({ name: 'new', source_volume_id: kept, parameters: { reserve: 'none' } }),
  DeleteSnapshot: async () => ({ snapshot_id: await snap('doomed') }),
  ListSnapshots: () => ({}),
  GetSnapshot: () => ({ snapshot_id: snapshot }),
  ControllerExpandVolume: () => ({ volume_id: kept, capacity_range: range, volume_capability: ext4 }),
  ControllerGetVolume: () => ({ volume_id: kept }),
  ControllerModifyVolume: () => ({ volume_id: kept, mutable_parameters: { readIops: '100' } }),
  CreateVolumeGroupSnapshot: () => ({ name: 'new', source_volume_ids: [kept] }),
  DeleteVolumeGroupSnapshot: async () => {
    const { group_snapshot_id, snapshots } = await take('doomed');
    return { group_snapshot_id, snapshot_ids: snapshots.map(({ snapshot_id }) => snapshot_id) };
  },
  GetVolumeGroupSnapshot: () => ({ group_snapshot_id: group, snapshot_ids: [] }),
  GetMetadataAllocated: () => ({ snapshot_id: snapshot }),
  GetMetadataDelta: () => ({ base_snapshot_id: base0, target_snapshot_id: snapshot }),
  NodeStageVolume: async () => {
    await unpublish();
    await node('NodeUnstageVolume', { volume_id: kept, staging_target_path: staging });
    return staged();
  },
  NodeUnstageVolume: async () => {
    await unpublish();
    await stage();
    return { volume_id: kept, staging_target_path: staging };
  },
  NodePublishVolume: async () => {
    await stage();
    await unpublish();
    return published();
  },
  NodeUnpublishVolume: async () => {
    await stage();
    await publish();
    return { volume_id: kept, target_path: target };
  },
  NodeGetVolumeStats: () => ({ volume_id: kept, volume_path: target, staging_target_path: staging }),
  NodeGetVolumeHealth: () => ({ volume_id: kept, volume_publish_path: target, staging_target_path: staging }),
  NodeGetStorageHealth: () => ({}),
  NodeExpandVolume: () => ({ volume_id: kept, volume_path: target, staging_target_path: staging }),
};

/** The same call in another use of it. */
const variants: typeof valid = {
  'NodePublishVolume of an inline volume': async () => {
    const target_path = await host.targetPath('inline');
    return {
      volume_id: 'handle',
      target_path,
      volume_capability: ext4,
      volume_context: { [inlineKey]: 'true', size: '64Mi', pool: 'default' },
    };
  },
  'NodeUnpublishVolume of an inline volume': async () => ({
    volume_id: 'handle',
    target_path: await host.targetPath('inline'),
  }),
};

/** Takes back what a call has made. */
async function undo(method: string, { volume, snapshot, group_snapshot }: Request, request: Request): Promise<void> {
  if (!/^(Create|NodePublish)/.test(method)) return;
  const { volume_id } = (volume ?? {}) as { readonly volume_id?: string };
  if (volume_id !== undefined) await controller('DeleteVolume', { volume_id });
  const { snapshot_id } = (snapshot ?? {}) as { readonly snapshot_id?: string };
  if (snapshot_id !== undefined) await controller('DeleteSnapshot', { snapshot_id });
  const { group_snapshot_id } = (group_snapshot ?? {}) as { readonly group_snapshot_id?: string };
  if (group_snapshot_id !== undefined)
    await call('csi.v1.GroupController', 'DeleteVolumeGroupSnapshot', { group_snapshot_id });
  const { volume_context: context, volume_id: handle, target_path } = request;
  if ((context as Request | undefined)?.[inlineKey] === 'true')
    await node('NodeUnpublishVolume', { volume_id: handle, target_path });
}

/** What the node may change. */
const ownFolders = (): string[] => ['pool', 'run', 'kubelet'].map((part) => join(host.folder, part));

const control = /\p{Cc}/u;
const idLike = /^([vsg]1-[0-9a-f]{8}-[0-9a-z]{26}(\.img|\.json)?|\.dropped-\d+)$/;

/** Nothing in the node's folders is called as anybody asked, and nothing beside them has changed. */
async function expectNothingElse(): Promise<void> {
  expect(await listing(folder, ownFolders())).toEqual(outside);
  for (const inner of ['meta', 'images', 'snapshots', 'trash'])
    expect((await readdir(join(host.pool, inner))).filter((name) => !idLike.test(name))).toEqual([]);
  const [run = ''] = await readdir(join(host.folder, 'run'));
  expect((await readdir(join(host.folder, 'run', run))).filter((name) => !idLike.test(name))).toEqual([]);
  expect(
    (await readdir(join(host.kubeletRoot, 'pods'))).filter((name) => !['kept', 'inline', 'link'].includes(name)),
  ).toEqual([]);
  for (const line of lines.splice(0)) expect(control.test(line.slice(0, -1)) ? line : '').toBe('');
}

const cases = rpcMethods().flatMap(({ service, method, request }) => {
  if (textPlaces(request).length === 0) return [];
  const uses = Object.entries({ [method]: valid[method], ...variants }).filter(([use]) => use.split(' ')[0] === method);
  return uses.map(([use, make]) => ({ use, service, method, request, make }));
});

test.each(cases)(
  '$use answers hostile text in any field with a permitted code, and touches nothing outside',
  async ({ use, service, method, request: type, make }) => {
    if (make === undefined) throw new Error(`${method} needs a valid request here`);
    for (const { name, with: put } of textPlaces(type, await make())) {
      const place = `${use} ${name}`;
      for (const text of texts) {
        await make();
        const request = put(text);
        let [code, message] = ['OK', ''];
        try {
          await undo(method, await call(service, method, request), request);
        } catch (error) {
          [code, message] = refusalOf(error);
        }
        const answer = { place, text: text.slice(0, 80), code };
        expect(permitted(place), JSON.stringify(answer)).toContain(code);
        const tooMuch = Buffer.byteLength(text) > 128 || control.test(text);
        const wrong = {
          taken: code === 'OK' && tooMuch && /^(?!List)\S+ (name|\w+_id)$/.test(place),
          raw: control.test(message),
          long: message.length > 2_000,
        };
        expect({ ...answer, ...wrong }).toEqual({ ...answer, taken: false, raw: false, long: false });
      }
      await expectNothingElse();
    }
  },
  120_000,
);

test.each(cases)(
  '$use tells nobody the secrets and tokens it comes with, also when it fails',
  async ({ service, method, make }) => {
    const token = 'canary-c0ffee';
    const contexts = {
      secrets: { password: token },
      volume_context: { 'csi.storage.k8s.io/serviceAccount.tokens': token },
      publish_context: { key: token },
    };
    lines.length = 0;
    const said: string[] = [];
    for (const more of [{}, { volume_id: `v1-${token}`, snapshot_id: 'no', group_snapshot_id: 'no', name: '' }]) {
      const request = { ...(await make?.()), ...contexts, ...more };
      try {
        await undo(method, await call(service, method, request), request);
      } catch (error) {
        // What was asked by its ID may be named; the contexts may not.
        said.push(refusalOf(error).join(' ').replaceAll(`v1-${token}`, 'the ID'));
      }
    }
    const told = [...lines.splice(0).map((line) => line.replaceAll(`v1-${token}`, 'the ID')), ...said];
    expect(told.filter((line) => line.includes(token))).toEqual([]);
  },
);

test('afterwards everything is there as it was, and works', async () => {
  await stage();
  await publish();
  await controller('ControllerGetVolume', { volume_id: kept });
  await node('NodeGetVolumeStats', { volume_id: kept, volume_path: target });
  await controller('GetSnapshot', { snapshot_id: snapshot });
  await call('csi.v1.GroupController', 'GetVolumeGroupSnapshot', { group_snapshot_id: group });
});
