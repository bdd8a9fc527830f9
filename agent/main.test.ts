/** The real process, as Kubernetes starts and stops it. */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

let folder = '';
const running: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-agent-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true });
});

const head = 'apiVersion: berth.dev/v1alpha1\nkind: NodeConfig\n';

interface Berth {
  readonly child: ChildProcess;
  /** What it logged so far, one object a line. */
  readonly logged: Record<string, unknown>[];
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function berth(...args: string[]): Berth {
  const env = { PATH: process.env['PATH'] };
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const logged: Record<string, unknown>[] = [];
  let rest = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const lines = `${rest}${chunk.toString()}`.split('\n');
    rest = lines.pop() ?? '';
    logged.push(
      ...lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>),
    );
  });
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], stdout, stderr]) => ({ code: code as number | null, stdout, stderr }),
  );
  return { child, logged, ended };
}

/** A device plugin without a kubelet: it starts, and waits for one. */
async function writeConfig(port: number, more = ''): Promise<string> {
  const file = join(folder, 'config.yaml');
  const devices = 'devices: {resources: [{name: berth.dev/null, paths: [/dev/null]}]}';
  await writeFile(
    file,
    `${head}agent: {port: ${port}, socket: ${folder}/agent.sock${more}}\nkubelet: {rootDir: ${folder}}\n${devices}\n`,
  );
  return file;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function seen({ logged }: Berth, event: string): Promise<Record<string, unknown>> {
  return await vi.waitUntil(() => logged.find((line) => line['event'] === event), { timeout: 10_000 });
}

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
    const result = await berth(...args).ended;
    expect(result.code).toBe(code);
    expect(result.stdout).toContain(stdout);
    expect(result.stderr).toContain(stderr);
  });

  test('by the name kubectl-berth it is the plugin of kubectl', async () => {
    const link = join(folder, 'kubectl-berth');
    await symlink(join(import.meta.dirname, 'main.ts'), link);
    const { stdout } = await promisify(execFile)(process.execPath, [link, 'version']);
    expect(stdout).toMatch(/^kubectl-berth 0\.1\.0 /);
  });

  test.each(['run', 'validate'])(
    'berth %s names every problem of a configuration and exits with 2',
    async (command) => {
      const file = join(folder, 'bad.yaml');
      const sections =
        'agent: {port: none}\ndevices: {resources: []}\nstorage: {pools: [{name: a, path: /run/pool}]}\nnetwerk: {}\n';
      await writeFile(file, head + sections);
      const result = await berth(...(command === 'run' ? ['run', '--config'] : [command]), file).ended;
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
    const agent = berth('run', '--config', await writeConfig(port, `, metrics: {address: 127.0.0.1, port: ${open}}`));
    await seen(agent, 'metrics.listening');
    const asked = request({ host: '127.0.0.1', port: open, path: '/metrics', rejectUnauthorized: false, agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    expect([response.statusCode, await text(response)]).toEqual([401, expect.stringContaining('send a token')]);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
  });

  test('does not start when it shall serve metrics on an address that nobody tells', async () => {
    const { code, stderr } = await berth('run', '--config', await writeConfig(await freePort(), ', metrics: {}')).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('NODE_IP is not set; name an IP address')]);
  });

  test('serves its health and metrics, and ends with 0 when it is told to stop', async () => {
    const port = await freePort();
    const agent = berth('run', '--config', await writeConfig(port));
    await seen(agent, 'endpoint.listening');
    const url = `http://127.0.0.1:${port}`;
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('[-]devices not ready: ')]);
    const asked = await berth('get', 'attachments', '--socket', join(folder, 'agent.sock')).ended;
    expect([asked.code, asked.stderr]).toEqual([1, expect.stringContaining('this agent has no attachments')]);
    const looked = await berth(
      'doctor',
      '--config',
      join(folder, 'config.yaml'),
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
    ]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^berth_build_info\{version="0.1.0",node_version="[\d.]+"\} 1$/m);
    expect(metrics).toMatch(/^berth_service_ready\{service="devices"\} 0$/m);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
  });

  test('serves its page to whoever has the key that berth page tells, until it ends', async () => {
    const port = await freePort();
    const agent = berth('run', '--config', await writeConfig(port));
    await seen(agent, 'endpoint.listening');
    const socket = ['--socket', join(folder, 'agent.sock')];
    const { code, stdout, stderr } = await berth('page', ...socket).ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining('Open it in a browser on this node')]);
    expect(stdout).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${port}/\\?token=[\\w-]{43}\\n$`));
    const led = await fetch(stdout.trim(), { redirect: 'manual' });
    const cookie = led.headers.getSetCookie()[0]!.split(';')[0]!;
    const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('berth.dev/null')]);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(401);
    agent.child.kill('SIGTERM');
    expect((await agent.ended).code).toBe(0);
    expect(await readdir(folder)).not.toContain('page-token');
    expect((await berth('page', ...socket).ended).stderr).toContain('no agent runs here');
  });

  test('lives with a port in use', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const agent = berth('run', '--config', await writeConfig(port));
    expect(await seen(agent, 'endpoint.listen_failed')).toMatchObject({ port });
    agent.child.kill('SIGINT');
    expect((await agent.ended).code).toBe(0);
    await new Promise((resolve) => holder.close(resolve));
  });
});
