/** The real process, whose configuration file is changed while it runs. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAgents, freePort } from './testagent.ts';

const agents = createAgents();
beforeEach(agents.begin);
afterEach(agents.end);

test('an agent takes over what it can of a changed configuration, and tells the doctor of the rest', async () => {
  const port = await freePort();
  const agent = agents.berth('run', '--config', await agents.writeConfig(port));
  await agent.seen('endpoint.listening');
  const findings = async (): Promise<Record<string, string>> => {
    // The doctor has a file of its own, as on a node; what the agent's file is like only the agent knows.
    const { stdout } = await agents.berth(
      'doctor',
      '--config',
      join(agents.folder, 'own.yaml'),
      '--skip',
      'kernel',
      '-o',
      'json',
    ).ended;
    const all = (JSON.parse(stdout) as { findings: { id: string; severity: string; message: string }[] }).findings;
    return Object.fromEntries(all.map(({ id, severity, message }) => [id, `${severity}: ${message}`]));
  };
  const inEffect = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  await copyFile(join(agents.folder, 'config.yaml'), join(agents.folder, 'own.yaml'));
  await agents.writeConfig(port, ', logLevel: error');
  await agent.seen('config.applied');
  await agents.writeConfig(port, ', logLevel: error, stopSeconds: 9');
  expect((await findings())['agent.config-pending']).toMatch(
    /^warning: .* since the agent started: agent\.stopSeconds$/,
  );
  expect(await inEffect()).toMatch(/^berth_config_in_effect 0$/m);
  await agents.writeConfig(port, ', logLevel: error, stopSeconds: none');
  expect((await findings())['agent.config-file']).toMatch(/^failure: .*config\.yaml:3: agent\.stopSeconds: .*"none"$/);
  await agents.writeConfig(port, ', logLevel: error');
  expect(await findings()).toMatchObject({
    'agent.config-file': expect.stringMatching(/^pass/) as string,
    'agent.config-pending': expect.stringMatching(/^pass/) as string,
  });
  expect(await inEffect()).toMatch(/^berth_config_in_effect 1$/m);
  // Of what waits a warning is written, and of what is right again a line of information: not at this level.
  expect(agent.logged.map(({ event }) => event).filter((event) => String(event).startsWith('config.'))).toEqual([
    'config.applied',
    'config.refused',
  ]);
  agent.child.kill('SIGTERM');
  expect((await agent.ended).code).toBe(0);
});
