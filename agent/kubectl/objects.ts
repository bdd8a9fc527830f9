/** The few fields of Kubernetes' objects that the client for a whole cluster looks at. Every one comes from an API server. */

export interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

export interface NodeObject {
  readonly metadata: Meta;
  readonly spec?: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[] };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly capacity?: Readonly<Record<string, string>>;
  };
}

/** One requirement on a label of a node. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly LabelRequirement[];
  readonly matchFields?: readonly LabelRequirement[];
}

export interface PodSpec {
  readonly nodeName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly hostNetwork?: boolean;
  readonly tolerations?: readonly Toleration[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: {
        readonly nodeSelectorTerms?: readonly NodeSelectorTerm[];
      };
    };
  };
  readonly containers?: readonly PodContainer[];
  readonly initContainers?: readonly PodContainer[];
  readonly volumes?: readonly {
    readonly name: string;
    readonly persistentVolumeClaim?: { readonly claimName: string };
    readonly ephemeral?: object;
  }[];
}

export interface PodContainer {
  readonly name: string;
  readonly image?: string;
  readonly restartPolicy?: string;
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
}

export interface ContainerState {
  readonly running?: object;
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  /** Of its run before, where it was started again. */
  readonly lastState?: ContainerState;
}

export interface PodObject {
  readonly metadata: Meta;
  readonly spec?: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface DaemonSetObject {
  readonly metadata: Meta;
  readonly spec?: { readonly template?: { readonly spec?: PodSpec } };
  readonly status?: { readonly desiredNumberScheduled?: number; readonly numberReady?: number };
}

/** As daemonset/crds/berthnodes.yaml describes it; an old agent may have left fields out. */
export interface BerthNodeObject {
  readonly metadata: Meta;
  readonly status?: {
    readonly version?: string;
    readonly conditions?: readonly Condition[];
    readonly network?: {
      readonly attachments?: number;
      readonly ranges?: readonly { readonly range: string; readonly size: number; readonly used: number }[];
    };
    readonly devices?: {
      readonly healthy?: string;
      readonly resources?: readonly {
        readonly name: string;
        readonly devices: number;
        readonly healthy: number;
        readonly used: number;
        readonly capacity: number;
      }[];
    };
    readonly storage?: {
      readonly available?: string;
      readonly volumes?: number;
      readonly snapshots?: number;
      readonly pools?: readonly {
        readonly name: string;
        readonly available?: string;
        readonly reason?: string;
      }[];
    };
  };
}

export interface ClaimObject {
  readonly metadata: Meta;
  readonly spec?: {
    readonly storageClassName?: string;
    readonly volumeName?: string;
    readonly resources?: { readonly requests?: { readonly storage?: string } };
    readonly dataSource?: { readonly kind?: string; readonly name?: string };
  };
  readonly status?: { readonly phase?: string };
}

export interface VolumeObject {
  readonly metadata: Meta;
  readonly spec?: {
    readonly csi?: { readonly driver?: string; readonly volumeHandle?: string };
    readonly nodeAffinity?: { readonly required?: { readonly nodeSelectorTerms?: readonly NodeSelectorTerm[] } };
    readonly claimRef?: { readonly namespace?: string; readonly name?: string };
  };
}

export interface ClassObject {
  readonly metadata: Meta;
  readonly provisioner?: string;
  readonly volumeBindingMode?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface CapacityObject {
  readonly metadata: Meta;
  readonly storageClassName?: string;
  readonly nodeTopology?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly capacity?: string;
  readonly maximumVolumeSize?: string;
}

export interface EventObject {
  readonly metadata: Meta;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

export function conditionOf(
  object: { readonly status?: { readonly conditions?: readonly Condition[] } } | undefined,
  type: string,
): Condition | undefined {
  return object?.status?.conditions?.find((condition) => condition.type === type);
}
