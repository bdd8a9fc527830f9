import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { describeMachine } from './machine.ts';

let programs: string;
beforeEach(async () => {
  programs = await mkdtemp(join(tmpdir(), 'berth-programs-'));
  vi.stubEnv('PATH', `${programs}${delimiter}${process.env['PATH'] ?? ''}`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(programs, { recursive: true });
});

async function program(name: string, script: string): Promise<void> {
  await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`);
  await chmod(join(programs, name), 0o755);
}

test('a machine is a few lines for a person', async () => {
  const lines = await describeMachine();
  for (const line of lines) expect(line).toMatch(/^(MACHINE|PROCESSOR|MEMORY|SYSTEM): [\x20-\x7e]+$/);
  expect(lines).toContainEqual(expect.stringMatching(/^MEMORY: [\d.]+ GiB$/));
});

test('what a program says of the machine cannot steer a terminal', async () => {
  await program(
    'dmidecode',
    `printf 'System Information\\n\\tManufacturer: \\033[2JEvil\\302\\233\\n\\tProduct Name: X\\n'`,
  );
  await program('lscpu', `printf 'Model name: \\033]0;evil\\007 chip\\n'`);
  expect((await describeMachine()).join('\n')).toMatch(/^[\x20-\x7e\n]*$/);
});

test('of a program that hangs nobody waits for the end, and the rest is told', async () => {
  await program('dmidecode', 'exec sleep 20');
  const lines = await describeMachine(300);
  expect(lines).toContainEqual(expect.stringMatching(/^MEMORY: /));
  expect(lines).not.toContainEqual(expect.stringMatching(/^MACHINE: /));
});
