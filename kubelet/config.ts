/** The `kubelet` section of the NodeConfig: where this node's kubelet keeps its sockets. */
import { z } from 'zod';

/** Longest root directory: below it the longest socket of ours has 44 bytes, and the kernel takes 107. */
const maxRootDirBytes = 60;

export const kubeletSection = z.strictObject({
  rootDir: z
    .string()
    .regex(/^(\/[A-Za-z0-9._+@-]+)+$/, 'must be an absolute path without a slash at its end')
    .refine((path) => !path.split('/').some((part) => part === '..' || part === '.'), 'must not contain "." or ".."')
    .refine(
      (path) => Buffer.byteLength(path) <= maxRootDirBytes,
      `must have at most ${maxRootDirBytes} bytes, for socket paths are limited to 107`,
    )
    .meta({ title: 'absolute path' })
    .default('/var/lib/kubelet')
    .describe("The kubelet's `--root-dir`, at the same path on the host and in the agent's container."),
});

export type KubeletConfig = z.output<typeof kubeletSection>;
