/** `berth run --config FILE`: the daemon. */
import { createLogger } from '../../kit/log.ts';
import { Daemon } from '../daemon.ts';
import { exitOnSignals, exitOnUncaught } from '../lifecycle.ts';
import { createRegistry } from '../metrics.ts';
import { createServices, networkConditionOf } from '../services.ts';
import { version } from '../version.ts';
import { readNodeConfig } from './readnodeconfig.ts';

/** Resolves to 2 when the configuration is wrong; otherwise to 0 with the daemon running, which ends by a signal. */
export async function run(file: string): Promise<number> {
  const config = await readNodeConfig(file, process.env['NODE_NAME']);
  if (config === undefined) return 2;
  const log = createLogger(config.agent.logLevel);
  exitOnUncaught(log);
  const registry = createRegistry();
  const surroundings = { log, registry, env: process.env };
  const services = createServices(config, surroundings);
  const createNetworkCondition = networkConditionOf(config, surroundings);
  const daemon = new Daemon({ settings: config.agent, services, registry, log, createNetworkCondition });
  exitOnSignals(log, () => daemon.stop());
  const names = services.map(({ name }) => name);
  log.info({ event: 'agent.starting', version, node: process.versions.node, services: names }, 'berth starts');
  daemon.start();
  return 0;
}
