// The life of an agent beside its pods: killed, away, just starting, and what it installs on its node.
import { existsSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addressOf } from './cni/node.ts';
import { codeOf, expectNothingLeft, useNodes } from './cni/scene.ts';

const { common, make, start } = useNodes();

describe('an agent killed', () => {
  test.each(['create:before', 'create:after', 'sandbox:before', 'sandbox:after'])(
    'in ADD at %s: the restarted one has undone it, and the repeated ADD works',
    async (point) => {
      const node = make();
      await node.startAgent(point);
      node.addNamespace('one');
      expect(codeOf(await node.add('one'))).toBe(11);
      await node.agentEnd();
      expect(node.records()).toHaveLength(1);
      await node.startAgent();
      expectNothingLeft(node);
      const address = addressOf(await node.add('one'));
      await node.serve('one');
      expect(await node.ask('node', address)).toBe(node.nodeAddress);
      expect((await node.del('one')).exit).toBe(0);
      expectNothingLeft(node);
    },
  );

  test.each(['release:before', 'release:after', 'delete:before', 'delete:after'])(
    'in DEL at %s: the restarted one has finished it, and the repeated DEL succeeds',
    async (point) => {
      const node = await start();
      await node.addPod('one');
      await node.stopAgent();
      await node.startAgent(point);
      // Queued when the connection broke, or answered before the link was to go.
      expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
      await node.agentEnd();
      await node.startAgent();
      expectNothingLeft(node);
      const queue = join(node.config.runDir, 'queue');
      expect(existsSync(queue) ? readdirSync(queue) : []).toEqual([]);
      expect(await node.del('one')).toEqual({ exit: 0, stdout: '' });
    },
  );

  test('finds pods gone meanwhile, repairs a lost route, removes links nobody owns, and leaves strangers alone', async () => {
    const node = await start();
    const [one] = [await node.addPod('one'), await node.addPod('two')];
    await node.addPod('three');
    await node.stopAgent('SIGKILL');
    node.removeNamespace('two');
    node.ip('node', 'route', 'del', one);
    const record = readdirSync(join(node.config.runDir, 'attachments')).find((name) =>
      readFileSync(join(node.config.runDir, 'attachments', name), 'utf8').includes('container-three'),
    );
    rmSync(join(node.config.runDir, 'attachments', record!));
    node.ip('node', 'link', 'add', 'vethstranger', 'type', 'veth', 'peer', 'stranger');
    writeFileSync(join(node.config.runDir, 'attachments', 'unknown.json'), '{"format":1');
    await node.startAgent();
    expect(node.podRoutes()).toEqual([one]);
    expect([...node.podLinks()].sort()).toEqual([expect.stringMatching(/^veth[0-9a-f]{11}$/), 'vethstranger']);
    expect(node.records()).toHaveLength(2);
    expect(node.agentLog).toContain('unknown.json');
    await node.serve('one');
    expect(await node.ask('node', one)).toBe(node.nodeAddress);
  });

  test.each([
    ['cut short', (text: string): string => text.slice(0, text.length / 2)],
    ['of a newer agent', (text: string): string => text.replace(/"format":\d/, '"format":99')],
  ])('leaves a pod whose record is %s its connections and its address, until DEL', async (_what, change) => {
    const node = await start('10.244.7.0/30');
    const one = await node.addPod('one');
    await node.serve('one');
    const held = await node.hold('node', one);
    await node.stopAgent('SIGKILL');
    const [name = ''] = node.records();
    const record = join(node.config.runDir, 'attachments', name);
    writeFileSync(record, change(readFileSync(record, 'utf8')));
    await node.startAgent();
    held.process.stdin?.write('still there?\n');
    expect(await held.line()).toBe(node.nodeAddress);
    node.addNamespace('two');
    expect(codeOf(await node.add('two'))).toBe(11);
    expect((await node.del('one')).exit).toBe(0);
    expect(addressOf(await node.add('two'))).toBe(one);
    expect((await node.del('two')).exit).toBe(0);
    expectNothingLeft(node);
  });
});

describe('without the agent', () => {
  test('ADD and CHECK are to be tried later, STATUS is not available, VERSION works', async () => {
    const node = await start();
    await node.stopAgent();
    node.addNamespace('one');
    const codes = await Promise.all(
      ['ADD', 'CHECK', 'STATUS'].map(async (command) => codeOf(await node.cni(command, node.variables('one')))),
    );
    expect(codes).toEqual([11, 11, 50]);
    expect(await node.execute('VERSION', {}, '')).toEqual({
      exit: 0,
      stdout: '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}',
    });
  });

  test('an ADD waits for an agent that is just starting', async () => {
    const node = await start();
    await node.stopAgent();
    node.addNamespace('one');
    const waiting = node.add('one');
    await node.startAgent();
    expect(addressOf(await waiting)).toBe('10.244.7.2');
  });
});

describe('what is installed', () => {
  test('is complete, closed to others, and not written again by the next start', async () => {
    const node = await start();
    const conflist = join(node.config.cniConfDir, '05-berth.conflist');
    const executable = join(node.config.cniBinDir, 'berth');
    expect(JSON.parse(readFileSync(conflist, 'utf8'))).toEqual({
      cniVersion: '1.0.0',
      cniVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
      name: 'berth',
      plugins: [
        {
          type: 'berth',
          capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true },
          socket: join(node.config.runDir, 'cni.sock'),
        },
      ],
    });
    expect(statSync(conflist).mode & 0o777).toBe(0o600);
    expect(statSync(executable).mode & 0o777).toBe(0o755);
    expect(statSync(node.config.runDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(node.config.runDir, 'cni.sock')).mode & 0o777).toBe(0o600);
    expect(readdirSync(node.config.cniConfDir)).toEqual(['05-berth.conflist']);
    expect(readdirSync(node.config.cniBinDir).sort()).toEqual(['berth', 'loopback']);
    expect(readlinkSync(join(node.config.cniBinDir, 'loopback'))).toBe('berth');
    const inodes = [statSync(conflist).ino, statSync(executable).ino];
    await node.stopAgent();
    expect(readdirSync(node.config.cniConfDir)).toEqual(['05-berth.conflist']);
    await node.startAgent();
    expect([statSync(conflist).ino, statSync(executable).ino]).toEqual(inodes);
  });

  test('answers as loopback in the version containerd asks with', async () => {
    const node = await common();
    node.addNamespace('one');
    const variables = { ...node.variables('one'), CNI_IFNAME: 'lo' };
    const config = { cniVersion: '0.3.1', name: 'cni-loopback', type: 'loopback' };
    const answer = await node.cni('ADD', variables, config);
    expect(JSON.parse(answer.stdout)).toEqual({
      cniVersion: '0.3.1',
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: node.path('one') }],
      ips: [{ version: '4', address: '127.0.0.1/8', interface: 0 }],
      routes: [],
    });
    expect(node.ip('one', 'address', 'show', 'lo')).toContain('127.0.0.1/8');
    expect((await node.cni('DEL', variables, config)).exit).toBe(0);
    expectNothingLeft(node);
  });

  test('the nft table has the range as an element, and calls are counted', async () => {
    const node = await start();
    await node.addPod('one');
    const table = node.nft('list', 'table', 'inet', 'berth');
    expect(table).toContain('elements = { 10.244.7.0/24 }');
    expect(table).toContain('masquerade fully-random');
    expect(table).toContain('ip daddr 127.0.0.0/8 iifname != "lo" drop');
    expect(table).toContain('icmpv6 type nd-router-advert iifgroup');
    await node.add('two');
    const metrics = await node.stopAgent();
    expect(metrics).toContain('berth_cni_requests_total{op="ADD",code="0"} 1');
    expect(metrics).toContain('berth_cni_requests_total{op="ADD",code="4"} 1');
    expect(metrics).toContain('berth_cni_request_duration_seconds_count{op="ADD"} 2');
  });
});
