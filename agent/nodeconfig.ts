/** The NodeConfig as a whole: which sections it has, and what must fit together across them. */
import { networkSchema } from '../cni/config.ts';
import { storageSchema } from '../csi/config.ts';
import { devicesSection } from '../deviceplugin/config/section.ts';
import { kubeletSection } from '../kubelet/config.ts';
import { contradictions } from './config/contradictions.ts';
import { loadConfig } from './config/load.ts';
import type { Loaded } from './config/load.ts';
import { agentSchema } from './settings.ts';

/** The schema of each section under its key; their descriptions are what docs/configuration.md says. */
export const sections = {
  agent: agentSchema,
  kubelet: kubeletSection,
  network: networkSchema,
  devices: devicesSection,
  storage: storageSchema,
};

type Outcome = Loaded<typeof sections, 'agent' | 'kubelet'>;

/** A checked configuration. `agent` and `kubelet` are always there; a plugin without a section is off. */
export type NodeConfig = Extract<Outcome, { config: unknown }>['config'];

/** Checks the text of a NodeConfig. `environmentNodeName` is NODE_NAME, which stands in for `agent.nodeName`. */
export function loadNodeConfig(text: string, environmentNodeName: string | undefined): Outcome {
  const loaded = loadConfig(text, sections, ['agent', 'kubelet'], (parsed) =>
    contradictions(parsed, environmentNodeName),
  );
  if ('problems' in loaded) return loaded;
  const { network, devices, storage } = loaded.config;
  if ([network, devices, storage].some((section) => section !== undefined)) return loaded;
  return { problems: [{ path: [], message: 'nothing to do; expected a section network, devices or storage' }] };
}
