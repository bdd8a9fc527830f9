/** The result of the plugins before us in a list (`prevResult`): checked, so that ours can be added to it and passed on. */
import { z } from 'zod';
import { CniError } from './errors.ts';
import { cniCode } from './protocol.ts';

// Of what others made only that is looked at which ours must fit to; the rest is theirs and passed on as it came.
const previousSchema = z
  .looseObject({
    interfaces: z.array(z.looseObject({ name: z.string(), sandbox: z.string().nullish() })).nullish(),
    ips: z.array(z.looseObject({ address: z.string(), interface: z.int().min(0).nullish() })).nullish(),
    routes: z.array(z.looseObject({})).nullish(),
    dns: z.looseObject({}).nullish(),
  })
  .refine(
    ({ interfaces, ips }) => (ips ?? []).every(({ interface: at }) => (at ?? -1) < (interfaces ?? []).length),
    'an address names an interface that is not in the list',
  );

/** A result in the form of the version that the configuration has. */
export type PreviousResult = Readonly<z.infer<typeof previousSchema>>;

/** Checks `prevResult`; undefined when there is none. Throws CniError with code 7. */
export function decodePrevious(value: unknown): PreviousResult | undefined {
  if (value === undefined || value === null) return undefined;
  const checked = previousSchema.safeParse(value);
  if (checked.success) return checked.data;
  const issues = checked.error.issues.map((issue) => `${['prevResult', ...issue.path].join('.')}: ${issue.message}`);
  throw new CniError(cniCode.invalidNetworkConfig, `the network configuration is invalid: ${issues.join('; ')}`);
}

/** Throws CniError with code 7 when a plugin before us has made the interface that is asked of us. */
export function refuseTaken(previous: PreviousResult | undefined, ifname: string): void {
  const taken = (previous?.interfaces ?? []).some(({ name, sandbox }) => name === ifname && (sandbox ?? '') !== '');
  if (taken)
    throw new CniError(
      cniCode.invalidNetworkConfig,
      `berth makes the interface ${ifname}, and so did a plugin before it in the list (prevResult): take one of the two away`,
    );
}
