/** What is right in each section and still cannot work together. Sections that are wrong in themselves are absent here. */
import { exclusionsOutside } from '../../cni/config.ts';
import type { NetworkConfig } from '../../cni/config.ts';
import type { ConfigPath, ConfigProblem } from '../../kit/config/problem.ts';

/** The fields that are looked at, of sections that were found right. */
export interface CheckedSections {
  readonly agent?: {
    readonly nodeName?: string | undefined;
    readonly stateDir: string;
    readonly port: number;
    readonly metrics?:
      | { readonly port: number; readonly certFile?: string | undefined; readonly keyFile?: string | undefined }
      | undefined;
  };
  readonly kubelet?: { readonly rootDir: string };
  readonly network?: Pick<NetworkConfig, 'podCIDR' | 'exclude' | 'runDir'>;
  readonly devices?: object;
  readonly storage?: { readonly runDir: string; readonly pools: readonly { readonly path: string }[] };
}

/** Folders that die with the boot, or that somebody else fills. */
const unfitForVolumes = ['/run', '/var/run', '/dev', '/proc', '/sys'];

export function contradictions(sections: CheckedSections, environmentNodeName: string | undefined): ConfigProblem[] {
  return [
    ...nodeNameProblems(sections, environmentNodeName),
    ...metricsProblems(sections),
    ...exclusionProblems(sections),
    ...poolProblems(sections),
    ...runDirProblems(sections),
  ];
}

/** Who needs the Node's name, when nobody has told it. */
function nodeNameProblems(
  { agent, network, storage }: CheckedSections,
  fromEnvironment: string | undefined,
): ConfigProblem[] {
  if (agent === undefined || agent.nodeName !== undefined || (fromEnvironment ?? '') !== '') return [];
  const reasons = [
    ...(storage === undefined ? [] : ['storage ties its volumes to it']),
    ...(network?.podCIDR === 'auto' ? ['network.podCIDR is auto, so it is read from the Node'] : []),
  ];
  if (reasons.length === 0) return [];
  const message = `missing, and NODE_NAME is not set; expected the name of this Node: ${reasons.join('; ')}`;
  return [{ path: ['agent', 'nodeName'], message }];
}

/** Each of the ports is that of a first part, and two more parts have the next ones. */
const partPorts = 3;

function metricsProblems({ agent }: CheckedSections): ConfigProblem[] {
  if (agent?.metrics === undefined) return [];
  const { port, certFile, keyFile } = agent.metrics;
  const problems: ConfigProblem[] = [];
  if (Math.abs(port - agent.port) < partPorts) {
    const message = `expected a port ${partPorts} or more away from agent.port (${agent.port}): parts of the agent have the next ones`;
    problems.push({ path: ['agent', 'metrics', 'port'], message, value: port });
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [missing, given] = certFile === undefined ? ['certFile', 'keyFile'] : ['keyFile', 'certFile'];
    problems.push({ path: ['agent', 'metrics', missing], message: `missing; expected a file, as for ${given}` });
  }
  return problems;
}

function exclusionProblems({ network }: CheckedSections): ConfigProblem[] {
  if (network === undefined) return [];
  const { podCIDR, exclude } = network;
  return exclusionsOutside(network).map((at) => ({
    path: ['network', 'exclude', at],
    message: `expected addresses within a range of network.podCIDR (${[podCIDR].flat().join(', ')})`,
    value: exclude[at],
  }));
}

function poolProblems({ kubelet, storage }: CheckedSections): ConfigProblem[] {
  return (storage?.pools ?? []).flatMap(({ path }, index) => {
    const at: ConfigPath = ['storage', 'pools', index, 'path'];
    const bad = unfitForVolumes.find((folder) => isWithin(path, folder));
    if (bad !== undefined)
      return [{ path: at, message: `volumes would not survive there; expected a folder outside ${bad}`, value: path }];
    if (kubelet !== undefined && isWithin(path, kubelet.rootDir))
      return [
        {
          path: at,
          message: `expected a folder outside kubelet.rootDir (${kubelet.rootDir}), which the kubelet cleans up`,
          value: path,
        },
      ];
    return [];
  });
}

function runDirProblems({ network, storage }: CheckedSections): ConfigProblem[] {
  if (network === undefined || network.runDir !== storage?.runDir) return [];
  const message = 'expected another folder than network.runDir, each keeps its own records there';
  return [{ path: ['storage', 'runDir'], message, value: storage.runDir }];
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
