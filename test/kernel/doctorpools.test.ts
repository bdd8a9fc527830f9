/** What the doctor says of real pools: the wrong filesystem, no room, no disk, a disk that never answers. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runDoctor } from '../../agent/doctor/doctor.ts';
import type { Finding } from '../../agent/doctor/finding.ts';
import { machineRoots } from '../../agent/doctor/roots.ts';
import { loadNodeConfig } from '../../agent/nodeconfig.ts';
import type { NodeConfig } from '../../agent/nodeconfig.ts';
import { newObjectId } from '../../csi/objectid.ts';
import { openPool, readPoolIdentity } from '../../csi/pool.ts';
import { makeScratchPool } from './scratchpool.ts';
import type { ScratchPool } from './scratchpool.ts';

const MiB = 1024 * 1024;
const run = (line: string): string => execFileSync('sh', ['-c', line], { encoding: 'utf8' });
const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';

let folder = '';
const pools: ScratchPool[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-doctor-'));
});
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
  await rm(folder, { recursive: true });
});

async function scratch(type: 'xfs' | 'ext4' | 'btrfs', bytes = 512 * MiB): Promise<string> {
  const pool = await makeScratchPool(type, bytes);
  pools.push(pool);
  return pool.path;
}

/** Of a node with one pool. */
function configOf(path: string, engine = 'image'): NodeConfig {
  const socket = `agent: {socket: ${folder}/agent.sock}\n`;
  const loaded = loadNodeConfig(
    `${head}${socket}storage: {pools: [{name: a, path: ${path}, engine: ${engine}}]}\n`,
    'node-1',
  );
  if ('problems' in loaded) throw new Error('the configuration is wrong');
  return loaded.config;
}

/** What the doctor says of one probe there. */
async function finding(id: string, path: string, engine?: string, host = '/'): Promise<Finding | undefined> {
  const roots = { ...machineRoots, host };
  const findings = await runDoctor(configOf(path, engine), { signal: new AbortController().signal, roots });
  return findings.find((each) => each.id === id);
}

describe('a pool', () => {
  test('that is not there, or whose identity is damaged, until it is mended: storage.pool-folder', async () => {
    const path = join(folder, 'pool');
    const ill = await finding('storage.pool-folder', path);
    expect(ill).toMatchObject({ severity: 'warning', fix: `mount its disk there, or mkdir -p ${path}` });
    expect(ill?.message).toContain(`${path} does not exist`);
    run(`mkdir -p ${path}`);
    expect(await finding('storage.pool-folder', path)).toMatchObject({ severity: 'pass' });
    const [config] = configOf(path).storage?.pools ?? [];
    if (config === undefined) throw new Error('there is no pool');
    const pool = await openPool(config, 'node-1');
    await writeFile(join(pool.folders.meta, `${newObjectId('volume', pool.id, Date.now())}.json`), '{}');
    await pool.close();
    await writeFile(join(path, 'pool.json'), '{"format": 1, "id"');
    const damaged = await finding('storage.pool-folder', path);
    const place = 'docs/recovery.md#a-pooljson-that-is-damaged-or-lost';
    expect(damaged).toMatchObject({ severity: 'failure', fix: expect.stringContaining(place) as string });
    // What that place has for a shell.
    const page = await readFile(join(import.meta.dirname, '../../docs/recovery.md'), 'utf8');
    const [, commands = ''] = /^## A pool\.json that is damaged or lost$[^]*?```sh\n([^]*?)```/m.exec(page) ?? [];
    run(`NODE=node-1\n${commands.replace('/var/lib/berth/pools/default', path)}`);
    expect(await finding('storage.pool-folder', path)).toMatchObject({ severity: 'pass' });
    expect(await readPoolIdentity(path)).toMatchObject({ id: pool.id, node: 'node-1' });
  });

  test('of subvolumes on ext4 is refused, and on btrfs it is well: storage.pool-filesystem', async () => {
    const ill = await finding('storage.pool-filesystem', await scratch('ext4'), 'subvolume');
    expect(ill).toMatchObject({ severity: 'failure', fix: expect.stringContaining('mkfs.btrfs') as string });
    expect(ill?.message).toContain('engine subvolume and lies on ext4');
    expect(await finding('storage.pool-filesystem', await scratch('btrfs'), 'subvolume')).toMatchObject({
      severity: 'pass',
    });
  });

  test('of images in memory is refused, and on xfs it is well: storage.pool-filesystem', async () => {
    const point = join(folder, 'memory');
    await mkdir(point);
    run(`mount -t tmpfs berth-doctor ${point}`);
    try {
      const ill = await finding('storage.pool-filesystem', point);
      expect(ill).toMatchObject({ severity: 'failure', fix: expect.stringContaining('mkfs.xfs') as string });
      expect(ill?.message).toContain('lies on tmpfs, from which volumes vanish');
    } finally {
      run(`umount ${point}`);
    }
    expect(await finding('storage.pool-filesystem', await scratch('xfs'))).toMatchObject({ severity: 'pass' });
  });

  test('on ext4 copies its snapshots, and on xfs shares them: storage.pool-reflink', async () => {
    const ill = await finding('storage.pool-reflink', await scratch('ext4'));
    expect(ill).toMatchObject({ severity: 'warning', fix: expect.stringContaining('mkfs.xfs') as string });
    expect(await finding('storage.pool-reflink', await scratch('xfs'))).toMatchObject({ severity: 'pass' });
  });

  test('that is full says so until something is deleted: storage.pool-space', async () => {
    const path = await scratch('ext4', 64 * MiB);
    run(`head -c 100M /dev/zero > ${path}/filler 2>/dev/null || true`);
    const ill = await finding('storage.pool-space', path);
    expect(ill).toMatchObject({ severity: 'failure', message: 'pool "a" is full' });
    await rm(join(path, 'filler'));
    expect(await finding('storage.pool-space', path)).toMatchObject({ severity: 'pass' });
  });

  test('on a filesystem without direct I/O: storage.pool-direct-io', async () => {
    const identity = '{"format": 1, "id": "0123abcd", "node": "node-1"}';
    const point = join(folder, 'ram');
    await mkdir(point);
    run(`mount -t ramfs berth-doctor ${point}`);
    try {
      await writeFile(join(point, 'pool.json'), identity);
      expect(await finding('storage.pool-direct-io', point)).toMatchObject({ severity: 'warning' });
    } finally {
      run(`umount ${point}`);
    }
    const path = await scratch('xfs');
    await writeFile(join(path, 'pool.json'), identity);
    expect(await finding('storage.pool-direct-io', path)).toMatchObject({ severity: 'pass' });
  });

  test('whose disk /etc/fstab names and nobody has mounted, until it is: storage.pool-disk', async () => {
    // The node's root is a folder; its mounts are this machine's.
    const source = await scratch('xfs');
    await mkdir(join(folder, 'data/pool'), { recursive: true });
    await mkdir(join(folder, 'etc'));
    await writeFile(join(folder, 'etc/fstab'), '/dev/disk/by-label/data /data xfs nofail 0 2\n');
    const ill = await finding('storage.pool-disk', '/data/pool', 'image', folder);
    expect(ill).toMatchObject({ severity: 'failure', fix: 'mount /data' });
    expect(ill?.message).toContain('nothing is mounted on /data, which /etc/fstab names');
    run(`mkdir ${source}/pool && mount --bind ${source} ${folder}/data`);
    try {
      expect(await finding('storage.pool-disk', '/data/pool', 'image', folder)).toMatchObject({ severity: 'pass' });
    } finally {
      run(`umount ${folder}/data`);
    }
  });

  test('that never answers is a finding, and holds up neither the others nor the end of the program', async () => {
    const point = join(folder, 'hanging');
    await mkdir(point);
    // A FUSE filesystem whose server reads no request: what asks it waits, as on a server of NFS that is gone.
    const script = `import koffi from 'koffi'; import { openSync } from 'node:fs';
const mount = koffi.load('libc.so.6').func('int mount(const char *s, const char *t, const char *f, unsigned long n, const char *d)');
const fd = openSync('/dev/fuse', 'r+');
if (mount('x', ${JSON.stringify(point)}, 'fuse', 0, \`fd=\${fd},rootmode=40000,user_id=0,group_id=0\`) !== 0) throw new Error('mount');
process.stdout.write('ready');
setInterval(() => undefined, 1e6);`;
    // In a mount namespace of its own: nobody else on this machine is to wait for it.
    const good = await scratch('xfs');
    const config = join(folder, 'config.yaml');
    const list = `[{name: dead, path: ${point}}, {name: good, path: ${good}}]`;
    await writeFile(config, `${head}agent: {socket: ${folder}/agent.sock}\nstorage: {pools: ${list}}\n`);
    const node = [process.execPath, '--input-type=module', '--eval', script];
    const server = spawn('unshare', ['--mount', '--propagation', 'private', ...node], {
      cwd: join(import.meta.dirname, '../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(server.stdout, 'data');
      const program = join(import.meta.dirname, '../../agent/main.ts');
      const enter = ['--target', String(server.pid), '--mount', '--', 'timeout', '-s', 'KILL', '30'];
      const words = [...enter, process.execPath, program, 'doctor', '--config', config, '-o', 'json'];
      const doctor = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [output, [code]] = await Promise.all([text(doctor.stdout), once(doctor, 'exit') as Promise<[number]>]);
      expect(code).toBe(1);
      const { findings } = JSON.parse(output) as { readonly findings: readonly Finding[] };
      const of = (id: string): Finding | undefined => findings.find((each) => each.id === id);
      expect(of('storage.pool-folder')).toMatchObject({ severity: 'failure' });
      expect(of('storage.pool-folder')?.message).toContain(`${point} does not answer`);
      expect(of('storage.pool-reflink')?.message).toBe('pool "dead" was not looked at: see storage.pool-folder');
      expect(of('kernel.version')).toMatchObject({ severity: 'pass' });
    } finally {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  });
});
