/** What the values of daemonset/chart may be; values.schema.json is made of this, so that Helm refuses others with the reason. */
import { z } from 'zod';
import { plugins } from '../../agent/part.ts';

const folder = z.string().regex(/^(\/[A-Za-z0-9._+@-]+)+$/, 'expected an absolute path');
const folderOrNone = z.union([folder, z.literal('')]);
const imageReference = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/, 'expected an image');
/** The name of an object or a label's value. */
const objectName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$/, 'expected lower-case letters, digits and -');
const className = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?$/, 'expected the name of an object');

/** Parts of Kubernetes objects that the chart passes on; the API server knows their keys. */
const object = z.record(z.string(), z.unknown());
const objects = z.array(object);
const texts = z.record(z.string(), z.string());

const quantity = z.union([z.string().regex(/^[0-9.]+([numkMGTPE]i?)?$/, 'expected a quantity'), z.number()]);
const quantities = z.record(z.string(), quantity);
const resources = z.strictObject({
  requests: quantities.optional(),
  limits: quantities.optional(),
  claims: objects.optional(),
});
const toggle = z.strictObject({ enabled: z.boolean() });
const sidecar = z.strictObject({ image: imageReference, resources, extraArgs: z.array(z.string()) });

/** Stands for a section of the NodeConfig; ./schema.ts puts its own schema there. */
const section = object.optional();
const config = z.strictObject({ agent: section, network: section, devices: section, storage: section });

const nodeGroup = z.strictObject({
  // All other nodes are `default`.
  name: objectName.meta({ not: { const: 'default' } }),
  nodeSelector: texts.meta({ minProperties: 1, maxProperties: 1 }).optional(),
  config: config.optional(),
});

const storageClass = z.strictObject({
  name: className,
  fsType: z.enum(['xfs', 'ext4', 'btrfs']).optional(),
  default: z.boolean().optional(),
  reclaimPolicy: z.enum(['Delete', 'Retain']).optional(),
  volumeBindingMode: z.enum(['WaitForFirstConsumer', 'Immediate']).optional(),
  allowVolumeExpansion: z.boolean().optional(),
  mountOptions: z.array(z.string()).optional(),
  parameters: texts.optional(),
});

export const valuesSchema = z.strictObject({
  distribution: z.enum(['standard', 'k3s', 'k0s', 'rke2', 'microk8s']),
  kubeletDir: folderOrNone,
  cni: z.strictObject({ binDir: folderOrNone, confDir: folderOrNone }),
  plugins: z.strictObject(Object.fromEntries(plugins.map((plugin) => [plugin, toggle]))),
  containers: z.enum(['split', 'single']),
  config,
  nodeGroups: z.array(nodeGroup),
  image: z.strictObject({
    repository: z.string().regex(/^[a-z0-9][A-Za-z0-9._:/-]*$/, 'expected an image without tag'),
    tag: z.string().regex(/^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$/, 'expected a tag'),
    digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/, 'expected sha256: and 64 digits'),
    pullPolicy: z.enum(['IfNotPresent', 'Always', 'Never']),
  }),
  imagePullSecrets: z.array(z.strictObject({ name: z.string() })),
  sidecars: z.strictObject({ provisioner: sidecar, snapshotter: sidecar, resizer: sidecar }),
  resources: z.strictObject({ berth: resources, network: resources, devices: resources, storage: resources }),
  nodeHeapMiB: z.int().min(64).max(4096),
  extraEnv: z.array(z.strictObject({ name: z.string(), value: z.string().optional(), valueFrom: object.optional() })),
  podAnnotations: texts,
  podLabels: texts,
  nodeSelector: texts,
  tolerations: objects,
  affinity: object,
  priorityClassName: z.string(),
  updateStrategy: object,
  serviceAccount: z.strictObject({ name: className }),
  namespace: z.strictObject({ create: z.boolean() }),
  storageClasses: z.array(storageClass),
  snapshots: z.strictObject({
    sidecar: toggle,
    class: toggle,
    controller: z.strictObject({ enabled: z.boolean(), image: imageReference, resources }),
    placement: toggle,
  }),
  metrics: z.strictObject({
    enabled: z.boolean(),
    tlsSecret: z.union([className, z.literal('')]),
    podMonitor: z.strictObject({
      enabled: z.boolean(),
      labels: texts,
      interval: z.string().regex(/^([0-9]+(ms|[smhd]))+$/, 'expected a time such as 30s'),
      tokenSecret: z.strictObject({ name: className, key: z.string() }),
    }),
  }),
  policies: toggle,
  test: z.strictObject({
    image: imageReference,
    device: z.string(),
    storageClass: z.union([className, z.literal('')]),
    size: quantity,
  }),
});
