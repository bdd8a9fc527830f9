import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { health } from '../config/health.ts';
import { isProbed, probe } from './probe.ts';

let folder = '';
const subject = {
  resource: 'a.b/port',
  id: 'port-1',
  paths: ['/dev/null'],
  devpaths: ['/devices/usb1/1-1', '/devices/usb1'],
};
const probing = (rule: object, what: object = {}): Promise<string | undefined> =>
  probe({ ...subject, ...what }, health.parse(rule), { devRoot: '/dev', sysRoot: folder });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-probe-'));
  await mkdir(join(folder, 'devices/usb1/1-1/power'), { recursive: true });
  await writeFile(join(folder, 'devices/usb1/1-1/power/runtime_status'), 'active\n');
  await writeFile(join(folder, 'devices/usb1/temp'), '45000\n');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

test.each([
  [{}, false],
  [{ driver: 'x' }, false],
  [{ open: 'r' }, true],
  [{ command: ['true'] }, true],
  [{ attributes: [{ name: 'temp', max: 1 }] }, true],
])('the rule %j needs probing: %j', (rule, expected) => {
  expect(isProbed(health.parse(rule))).toBe(expected);
});

test.each<[object, object, string | undefined]>([
  [{ open: 'rw' }, {}, undefined],
  [{ open: 'r' }, { paths: ['/dev/null', '/dev/not-there'] }, 'has a node that does not open: ENOENT'],
  [{ attributes: [{ name: 'power/runtime_status', is: 'active' }] }, {}, undefined],
  [{ attributes: [{ name: 'power/runtime_status', is: 'sus*' }] }, {}, 'has power/runtime_status "active", not sus*'],
  [{ attributes: [{ name: 'temp', max: 90_000 }] }, {}, undefined],
  [{ attributes: [{ name: 'temp', max: 40_000 }] }, {}, 'has temp "45000", more than 40000'],
  [{ attributes: [{ name: 'temp', min: 50_000 }] }, {}, 'has temp "45000", less than 50000'],
  [{ attributes: [{ name: 'power/runtime_status', max: 1 }] }, {}, 'which is no number'],
  [{ attributes: [{ name: 'absent', is: '*' }] }, {}, 'has no attribute absent, and nothing above it has'],
  [{ command: ['true'] }, {}, undefined],
  [{ command: ['sh', '-c', 'echo " disk \x1b is old" >&2; exit 3'] }, {}, 'failed sh (exit code 3): disk ? is old'],
  [
    {
      command: [
        'sh',
        '-c',
        'test "$BERTH_DEVICE_PATHS $BERTH_DEVICE_ID $BERTH_RESOURCE" = "/dev/null port-1 a.b/port"',
      ],
    },
    {},
    undefined,
  ],
  [{ command: ['sh', '-c', 'test "$(env | wc -l)" -lt 9'] }, {}, undefined],
  [{ command: ['/no/such/program'] }, {}, 'could not be probed by /no/such/program: ENOENT'],
])('%j on %j finds: %s', async (rule, what, expected) => {
  const found = await probing(rule, what);
  if (expected === undefined) expect(found).toBeUndefined();
  else expect(found).toContain(expected);
});

/** Whether the process whose number a file has still runs; one that has ended may wait for its parent as a zombie. */
async function lives(file: string): Promise<boolean> {
  const stat = await readFile(`/proc/${(await readFile(file, 'utf8')).trim()}/stat`, 'utf8').catch(() => '0 () Z');
  return !/\) [ZX]/.test(stat);
}

test('a command that hangs is ended with all it started', async () => {
  const pids = join(folder, 'pids');
  const script = `sleep 86399 & echo $! > ${pids}; sleep 86399`;
  await expect(probing({ timeoutSeconds: 0.3, command: ['sh', '-c', script] })).resolves.toContain(
    'did not answer sh within 0.3 s',
  );
  await vi.waitFor(
    async () => {
      expect(await lives(pids)).toBe(false);
    },
    { timeout: 20_000 },
  );
});

test('a flood of output is no matter, and nothing is left in the background', async () => {
  const pids = join(folder, 'background');
  await expect(probing({ command: ['sh', '-c', 'yes | head -c 1000000'] })).resolves.toBeUndefined();
  await expect(probing({ command: ['sh', '-c', `sleep 86399 & echo $! > ${pids}`] })).resolves.toBeUndefined();
  await vi.waitFor(
    async () => {
      expect(await lives(pids)).toBe(false);
    },
    { timeout: 20_000 },
  );
});
