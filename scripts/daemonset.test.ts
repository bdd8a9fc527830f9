/** The manifests, the NodeConfig in them and the program agree with each other. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { loadNodeConfig } from '../agent/nodeconfig.ts';
import { imageReference } from '../cluster/namedimages.ts';
import manifest from '../package.json' with { type: 'json' };
import { sidecarImages } from './deploy.ts';
import { imageRef } from './image.ts';

const folder = join(import.meta.dirname, '../daemonset');
const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

const container = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  resources: z.object({ limits: z.record(z.string(), z.string()) }),
  securityContext: z.looseObject({}),
  livenessProbe: z.object({ httpGet: z.object({ host: z.string(), port: z.int() }) }).optional(),
  readinessProbe: z.object({ httpGet: z.object({ host: z.string(), port: z.int() }) }).optional(),
  volumeMounts: z.array(
    z.object({
      name: z.string(),
      mountPath: z.string(),
      mountPropagation: z.string().optional(),
      subPath: z.string().optional(),
    }),
  ),
});
const daemonSet = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        terminationGracePeriodSeconds: z.int(),
        containers: z.tuple([container], container),
        volumes: z.array(z.object({ name: z.string(), hostPath: z.object({ path: z.string() }).optional() })),
      }),
    }),
  }),
});

const classFolder = 'examples/classes';
/** StorageClass, VolumeSnapshotClass or VolumeAttributesClass. */
const anyClass = z.object({
  kind: z.string(),
  metadata: z.object({ name: z.string() }),
  provisioner: z.string().optional(),
  driver: z.string().optional(),
  driverName: z.string().optional(),
});

async function podSpec() {
  return daemonSet.parse(parse(await read('daemonset.yaml'))).spec.template.spec;
}

async function nodeConfig(file = 'config.yaml') {
  const loaded = loadNodeConfig(await read(file), 'a');
  if ('problems' in loaded) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

test('the image that is asked for is the one that is built', async () => {
  const { images } = z
    .object({ images: z.array(z.object({ name: z.string(), newTag: z.string() })) })
    .parse(parse(await read('uninstall/kustomization.yaml')));
  expect(images).toEqual([{ name: 'berth.dev/berth', newTag: manifest.version }]);
  expect((await podSpec()).containers[0].image).toBe(imageRef);
  expect(parse(await read('chart/Chart.yaml'))).toMatchObject({
    version: manifest.version,
    appVersion: manifest.version,
  });
});

test('each sidecar is the version that is tested, may use little memory, and has no rights on the node', async () => {
  const [, ...sidecars] = (await podSpec()).containers;
  expect(sidecars.map(({ name }) => name).toSorted()).toEqual(sidecarImages.toSorted());
  for (const { name, image, resources, securityContext } of sidecars) {
    expect(image).toBe(imageReference(sidecarImages.find((known) => known === name)!));
    expect(resources.limits['memory'], name).toMatch(/^\d+Mi$/);
    expect(securityContext, name).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
  }
  const controller = await read('snapshots/controller/deployment.yaml');
  expect(controller).toContain(`image: ${imageReference('snapshot-controller')}\n`);
});

test('probes ask where the agent serves, and it has the time to stop that it takes', async () => {
  const { agent } = await nodeConfig();
  const { containers, terminationGracePeriodSeconds } = await podSpec();
  const at = { host: '127.0.0.1', port: agent.port };
  expect(containers[0].livenessProbe?.httpGet).toMatchObject(at);
  expect(containers[0].readinessProbe?.httpGet).toMatchObject(at);
  expect(terminationGracePeriodSeconds).toBeGreaterThan(agent.stopSeconds);
});

test('every folder of the configuration is a folder of the node at the same path', async () => {
  const { kubelet, network, storage, agent, devices } = await nodeConfig();
  const { containers, volumes } = await podSpec();
  const mounted = containers[0].volumeMounts
    .filter(({ name, mountPath }) => volumes.find((volume) => volume.name === name)?.hostPath?.path === mountPath)
    .map(({ mountPath }) => mountPath);
  const wanted = [
    kubelet.rootDir,
    agent.stateDir,
    devices?.devRoot,
    network?.runDir,
    network?.cniBinDir,
    network?.cniConfDir,
    storage?.runDir,
    ...(storage?.pools.map(({ path }) => path) ?? []),
  ];
  const missing = wanted.filter((path) => !mounted.some((mount) => path === mount || path?.startsWith(`${mount}/`)));
  expect(missing).toEqual([]);
});

test('mounts that the node must see, and mounts of the node that come later, are passed on', async () => {
  const { containers } = await podSpec();
  const passed = containers[0].volumeMounts.filter(({ mountPropagation }) => mountPropagation !== undefined);
  expect(Object.fromEntries(passed.map((mount) => [mount.mountPath, mount.mountPropagation]))).toEqual({
    '/var/lib/kubelet': 'Bidirectional',
    '/run/netns': 'HostToContainer',
    '/var/lib/berth': 'Bidirectional',
  });
});

test('the driver has one name', async () => {
  const { storage } = await nodeConfig();
  const { name } = z
    .object({ metadata: z.object({ name: z.string() }) })
    .parse(parse(await read('csidriver.yaml'))).metadata;
  const files = [
    'storageclasses.yaml',
    ...(await readdir(join(folder, classFolder))).map((file) => `${classFolder}/${file}`),
  ];
  const texts = await Promise.all([...files, 'snapshots/snapshotclass.yaml'].map(read));
  const classes = texts.flatMap((text) => parseAllDocuments(text).map((each) => anyClass.parse(each.toJS())));
  const { containers, volumes } = await podSpec();
  const sidecarFolder = volumes.find((volume) => volume.name === 'csi-socket')?.hostPath?.path;
  expect(storage?.driverName).toBe(name);
  for (const each of classes) {
    expect([each.kind, each.provisioner ?? each.driver ?? each.driverName]).toEqual([each.kind, name]);
  }
  expect(new Set(classes.map((each) => each.metadata.name)).size).toBe(classes.length);
  expect(sidecarFolder).toBe('/var/lib/kubelet/plugins');
  const mounts = containers.slice(1).flatMap(({ volumeMounts }) => volumeMounts);
  expect(new Set(mounts.map(({ subPath }) => subPath))).toEqual(new Set([name]));
});

test('the test cluster has the NodeConfig of daemonset/ but for its pools, inline volumes and metrics', async () => {
  const { storage, agent, ...rest } = await nodeConfig('../test/cluster/daemonset/config.yaml');
  const { storage: usual, agent: usualAgent, ...usualRest } = await nodeConfig();
  expect(rest).toEqual(usualRest);
  expect({ ...agent, metrics: undefined }).toEqual({ ...usualAgent, metrics: undefined });
  expect({ ...storage, pools: usual?.pools, ephemeral: usual?.ephemeral }).toEqual(usual);
});
