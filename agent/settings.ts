/** The section `agent` of a NodeConfig: what concerns the daemon itself. */
import { z } from 'zod';

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, 'expected an absolute path')
  .meta({ title: 'absolute path' });

/** Metrics for the cluster's Prometheus. */
const metricsSchema = z.strictObject({
  address: z
    .union([z.literal('node'), z.ipv4(), z.ipv6()])
    .default('node')
    .meta({ title: '`node` or an IP address' })
    .describe(
      'Address to listen on. `node`: that of the Node, as the environment variable `NODE_IP` has it, which the DaemonSet sets.',
    ),
  port: z
    .int()
    .min(1)
    .max(65_533)
    .default(9883)
    .describe('TCP port there. With `berth run --only` devices have the next one, and storage the one after that.'),
  certFile: absolutePath
    .optional()
    .describe(
      'File with the certificate (PEM, with those between it and the authority), read again when it changes. Without it: one made at start, which nobody can verify.',
    ),
  keyFile: absolutePath.optional().describe('File with its private key (PEM).'),
});

export const agentSchema = z.strictObject({
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Lowest level that is written to the log (JSON lines on standard error).'),
  port: z
    .int()
    .min(1)
    .max(65_533)
    .default(9880)
    .describe(
      "Loopback TCP port of `/livez`, `/readyz`, `/metrics` and the [local page](page.md). The agent is in the node's network, so it must be free there. With `berth run --only` devices have the next one, and storage the one after that.",
    ),
  socket: absolutePath
    .default('/run/berth/agent.sock')
    .describe('Unix socket, for root only, on which `berth get` asks the agent. Its folder must exist.'),
  nodeName: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'expected the name of a Node: lower-case letters, digits, - and .')
    .optional()
    .describe(
      'Name of this Node in Kubernetes. Without it: the environment variable `NODE_NAME`, which the DaemonSet sets.',
    ),
  kubeconfig: absolutePath
    .optional()
    .describe("kubeconfig file for the Kubernetes API. Without it: the pod's service account."),
  startupTaint: z
    .string()
    .regex(
      /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
      'expected the key of a taint: berth.dev/agent-not-ready',
    )
    .optional()
    .describe(
      'Key of a taint with which new Nodes are registered; it is taken off once every plugin serves. Needs the right to patch Nodes.',
    ),
  metrics: metricsSchema
    .optional()
    .describe(
      "Serves `/metrics` by HTTPS on the node's address too, to bearers of tokens that the API server lets read them ([monitoring.md](monitoring.md)). Without it: on loopback only.",
    ),
  stateDir: absolutePath.default('/var/lib/berth').describe('Folder for what must outlive a reboot.'),
  stopSeconds: z
    .int()
    .min(1)
    .max(600)
    .default(20)
    .describe('Seconds that calls in flight get to finish when the agent is told to stop.'),
});

export type AgentSettings = z.infer<typeof agentSchema>;
