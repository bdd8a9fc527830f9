/** The tree of probes: groups in the order in which a pod meets what they look at. docs/doctor.md is generated from it. */
import type { Probe } from './probe.ts';
import { agentProbes } from './probes/agent.ts';
import { apiProbes } from './probes/api.ts';
import { apiRightProbes } from './probes/apirights.ts';
import { configFileProbes } from './probes/configfile.ts';
import { cniProbes } from './probes/cni.ts';
import { deviceProbes } from './probes/devices.ts';
import { featureProbes } from './probes/features.ts';
import { kernelProbes, limitProbes } from './probes/kernel.ts';
import { kubeletProbes } from './probes/kubelet.ts';
import { networkProbes } from './probes/network.ts';
import { storageProbes } from './probes/storage.ts';

export interface ProbeGroup {
  /** What the IDs of its probes begin with. */
  readonly name: string;
  readonly title: string;
  readonly probes: readonly Probe[];
}

export const catalogue: readonly ProbeGroup[] = [
  { name: 'kernel', title: 'Kernel', probes: [...kernelProbes, ...featureProbes] },
  { name: 'limits', title: 'Limits of a process', probes: limitProbes },
  { name: 'kubelet', title: 'Kubelet', probes: kubeletProbes },
  { name: 'cni', title: 'CNI', probes: cniProbes },
  { name: 'network', title: "The node's network", probes: networkProbes },
  { name: 'devices', title: 'Devices', probes: deviceProbes },
  { name: 'storage', title: 'Pools', probes: storageProbes },
  { name: 'api', title: 'Kubernetes API', probes: [...apiProbes, ...apiRightProbes] },
  { name: 'agent', title: 'The agent', probes: [...agentProbes, ...configFileProbes] },
];

/** A place in the documentation. */
export function linkOf(id: string): string {
  return `docs/doctor.md#${id}`;
}
