/** The real process, as Kubernetes starts and stops it. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createAgents, freePort, head } from './testagent.ts';

const agents = createAgents();
beforeEach(agents.begin);
afterEach(agents.end);

describe('the command line', () => {
  test.each([
    [['version'], 0, 'berth 0.1.0', ''],
    [['--help'], 0, 'Usage: berth', ''],
    [[], 2, '', 'Usage: berth'],
    [['run'], 2, '', "required option '--config <file>'"],
    [['run', '--config', '/nowhere', '--only', 'ships'], 2, '', 'Allowed choices are network, devices, storage'],
    [['sail'], 2, '', "unknown command 'sail'"],
    [['validate', '/nowhere'], 2, '', 'ENOENT'],
    [['get', 'ships'], 2, '', 'Allowed choices are attachments, pools, routes'],
    [['get', 'pools', '-o', 'csv'], 2, '', 'Allowed choices are table, wide, json, yaml'],
    [['doctor', '--list'], 0, 'kubelet.root-shared ', ''],
    [['doctor', '--skip', 'kernel.sails'], 2, '', 'kernel.sails: no such probe'],
    [['doctor', '--only', 'sails'], 2, '', 'Allowed choices are network, devices, storage'],
    [['doctor', '--config', '/nowhere'], 2, '', 'ENOENT'],
    [['doctor', '-o', 'table'], 2, '', 'Allowed choices are text, json, yaml'],
    [['completion', 'bash'], 0, 'complete -F __berth_complete berth', ''],
    [['completion', 'csh'], 2, '', 'Allowed choices are bash, zsh, fish'],
    [['__complete', 'get', 'po'], 0, 'pools\n:4\n', ''],
    [['get', 'pools', '--socket', '/nowhere/agent.sock'], 1, '', 'no agent runs here'],
  ])('berth %j exits with %i', async (args, code, stdout, stderr) => {
    const result = await agents.berth(...args).ended;
    expect(result.code).toBe(code);
    expect(result.stdout).toContain(stdout);
    expect(result.stderr).toContain(stderr);
  });

  test('by the name kubectl-berth it is the plugin of kubectl', async () => {
    const link = join(agents.folder, 'kubectl-berth');
    await symlink(join(import.meta.dirname, 'main.ts'), link);
    const { stdout } = await promisify(execFile)(process.execPath, [link, 'version']);
    expect(stdout).toMatch(/^kubectl-berth 0\.1\.0 /);
  });

  test.each(['run', 'validate'])(
    'berth %s names every problem of a configuration and exits with 2',
    async (command) => {
      const file = join(agents.folder, 'bad.yaml');
      const sections =
        'agent: {port: none}\ndevices: {resources: []}\nstorage: {pools: [{name: a, path: /run/pool}]}\nnetwerk: {}\n';
      await writeFile(file, head + sections);
      const result = await agents.berth(...(command === 'run' ? ['run', '--config'] : [command]), file).ended;
      expect(result.code).toBe(2);
      expect(result.stdout).toBe('');
      expect(result.stderr.split('\n').map((line) => line.slice(0, file.length + 30))).toEqual([
        expect.stringContaining(`${file}:3: agent.port: `),
        expect.stringContaining(`${file}:4: devices.resources: `),
        expect.stringContaining(`${file}:5: storage.pools[0].path: `),
        expect.stringContaining(`${file}:6: netwerk: unknown key`),
        `berth: ${file} has 4 problems`,
        '',
      ]);
    },
  );
});

describe('the daemon', { timeout: 20_000 }, () => {
  test('serves its metrics to strangers only as far as to ask for a token', async () => {
    const [port, open] = [await freePort(), await freePort()];
    const agent = agents.berth(
      'run',
      '--config',
      await agents.writeConfig(port, `, metrics: {address: 127.0.0.1, port: ${open}}`),
    );
    await agent.seen('metrics.listening');
    const asked = request({ host: '127.0.0.1', port: open, path: '/metrics', rejectUnauthorized: false, agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect([response.statusCode, await text(response)]).toEqual([401, expect.stringContaining('send a token')]);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
  });

  test('does not start when it shall serve metrics on an address that nobody tells', async () => {
    const { code, stderr } = await agents.berth(
      'run',
      '--config',
      await agents.writeConfig(await freePort(), ', metrics: {}'),
    ).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('NODE_IP is not set; name an IP address')]);
  });

  test('serves its health and metrics, and ends with 0 when it is told to stop', async () => {
    const port = await freePort();
    const agent = agents.berth('run', '--config', await agents.writeConfig(port));
    await agent.seen('endpoint.listening');
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('[-]devices not ready: ')]);
    const asked = await agents.berth('get', 'attachments', '--socket', join(agents.folder, 'agent.sock')).ended;
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('this agent has no attachments')]);
    const looked = await agents.berth(
      'doctor',
      '--config',
      join(agents.folder, 'config.yaml'),
      '--skip',
      'kernel',
      'api',
      '-o',
      'json',
    ).ended;
    const { findings } = JSON.parse(looked.stdout) as { findings: { id: string; severity: string; message: string }[] };
    // No kubelet is here, and the agent says so.
    expect(looked.code).toBe(1);
    expect(findings.filter(({ id }) => /^(kernel|api|cni|storage)\./.test(id))).toEqual([]);
    expect(findings.filter(({ id }) => id.startsWith('agent.')).map(({ severity }) => severity)).toEqual([
      'pass',
      'failure',
      'pass',
      'pass',
      'pass',
    ]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^berth_build_info\{version="0.1.0",node_version="[\d.]+"\} 1$/m);
    expect(metrics).toMatch(/^berth_service_ready\{service="devices"\} 0$/m);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
  });

  test('serves its page to whoever has the key that berth page tells, until it ends', async () => {
    const port = await freePort();
    const agent = agents.berth('run', '--config', await agents.writeConfig(port));
    await agent.seen('endpoint.listening');
    const socket = ['--socket', join(agents.folder, 'agent.sock')];
    const { code, stdout, stderr } = await agents.berth('page', ...socket).ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('Open it in a browser on this node')]);
    expect(stdout).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${port}/\\?token=[\\w-]{43}\\n$`));
    const led = await fetch(stdout.trim(), { redirect: 'manual' });
    const cookie = led.headers.getSetCookie()[0]!.split(';')[0]!;
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('berth.dev/null')]);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
    expect(await readdir(agents.folder)).not.toContain('page-token');
    expect((await agents.berth('page', ...socket).ended).stderr).toContain('no agent runs here');
  });

  test('lives with a port in use', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const agent = agents.berth('run', '--config', await agents.writeConfig(port));
    expect(await agent.seen('endpoint.listen_failed')).toMatchObject({ port });
    agent.child.kill('SIGINT');
    expect((await agent.ended).code).toBe(0);
    await new Promise((resolve) => holder.close(resolve));
  });
});
