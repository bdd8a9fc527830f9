/** `berth run --config FILE [--only PLUGIN]`: the daemon, or a part of it. */
import { Latest } from '../../kit/latest.ts';
import { createLogger } from '../../kit/log.ts';
import { ConfigFile } from '../config/configfile.ts';
import { Daemon } from '../daemon.ts';
import { DoctorWatch } from '../doctor/doctorwatch.ts';
import { exitOnSignals, exitOnUncaught } from '../lifecycle.ts';
import { createRegistry, registerConfigMetric } from '../metrics.ts';
import { partOf, plugins } from '../part.ts';
import type { Plugin } from '../part.ts';
import { createServices, networkConditionOf, nodeReporterOf, scrapeServerOf } from '../services.ts';
import { version } from '../version.ts';
import { readNodeConfig } from './readnodeconfig.ts';

/** Resolves to 2 when the configuration is wrong; otherwise to 0 with the daemon running, which ends by a signal. */
export async function run(file: string, only: readonly Plugin[]): Promise<number> {
  const whole = await readNodeConfig(file, process.env['NODE_NAME']);
  if (whole === undefined) return 2;
  const [absent] = only.filter((each) => whole[each] === undefined);
  if (absent !== undefined) {
    process.stderr.write(
      `berth: --only ${absent}, but ${file} has no section ${absent}: add it, or leave the flag out\n`,
    );
    return 2;
  }
  const config = partOf(whole, only);
  const running = new Latest(config);
  const log = createLogger(() => running.value.agent.logLevel);
  exitOnUncaught(log);
  const registry = createRegistry();
  const surroundings = { log, registry, env: process.env, running };
  const services = createServices(config, surroundings);
  const createNetworkCondition = networkConditionOf(config, surroundings);
  // Of several parts the first speaks for all.
  const speaks = only.length === 0 || only.includes(plugins.find((each) => whole[each] !== undefined) ?? 'network');
  const reporter = speaks ? nodeReporterOf(whole, surroundings) : undefined;
  const doctor = new DoctorWatch(() => running.value, { env: process.env, log: log.child({ component: 'doctor' }) });
  const configFile = new ConfigFile({
    ...{ path: file, whole, only, running, log: log.child({ component: 'config' }) },
    env: { NODE_NAME: process.env['NODE_NAME'], POD_NAME: process.env['POD_NAME'] },
    changed: () => {
      doctor.lookAgain();
    },
  });
  registerConfigMetric(registry, () => configFile.inEffect);
  const scrapeServer = scrapeServerOf(config, surroundings);
  const daemon = new Daemon({
    settings: config.agent,
    services,
    registry,
    log,
    createNetworkCondition,
    reporter,
    doctor,
    // What came on standard input comes once.
    configFile: file === '-' ? undefined : configFile,
    scrapeServer,
  });
  exitOnSignals(log, () => daemon.stop());
  const names = services.map(({ name }) => name);
  log.info({ event: 'agent.starting', version, node: process.versions.node, services: names }, 'berth starts');
  daemon.start();
  return 0;
}
