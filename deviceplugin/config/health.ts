/** When a unit of a resource is healthy, beside being there. */
import { z } from 'zod';
import { attributeName } from './selector.ts';
import { pattern } from './text.ts';

const attribute = z
  .strictObject({
    name: attributeName.describe('Name of the attribute file of the first member that has it, or of a device above.'),
    is: pattern.optional().describe('Pattern of its value.'),
    min: z.number().optional().describe('Least value, of one that is a number.'),
    max: z.number().optional().describe('Greatest value.'),
  })
  .refine(({ is, min, max }) => is !== undefined || min !== undefined || max !== undefined, 'must have is, min or max');

export const health = z.strictObject({
  driver: pattern.optional().describe('Pattern of the driver that must be bound to it or to one above.'),
  open: z
    .enum(['no', 'r', 'rw'])
    .default('no')
    .describe('Whether its nodes must open, and how. Opening a serial port may reset what hangs on it.'),
  attributes: z.array(attribute).max(16).default([]).describe('Values of sysfs that it must have.'),
  command: z
    .array(
      z
        .string()
        .min(1)
        .max(1_024)
        .regex(/^[^\u0000]*$/, 'must not contain NUL'),
    )
    .min(1)
    .max(32)
    .optional()
    .describe(
      'A program of the agent’s image and its arguments, without a shell; `BERTH_DEVICE_PATHS` names the nodes. Exit code 0 is healthy.',
    ),
  timeoutSeconds: z.number().min(0.1).max(60).default(5).describe('How long opening or the command may take.'),
  intervalSeconds: z.number().min(0.1).max(3_600).default(5).describe('Time between two probes of a unit.'),
  failures: z.int().min(1).max(100).default(2).describe('Probes in a row that fail until a unit is unhealthy.'),
  successes: z.int().min(1).max(100).default(2).describe('Probes in a row that succeed until it is healthy again.'),
  removalGraceSeconds: z
    .number()
    .min(0)
    .max(86_400)
    .default(60)
    .describe('How long a unit that is away stays advertised as unhealthy; while a pod has it, it always does.'),
});

export type HealthRule = z.output<typeof health>;
