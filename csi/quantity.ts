/** Sizes in bytes: read as Kubernetes quantities (`64Mi`, `10G`, `1048576`), written for people (`3.2 GiB`). */

const units: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 10n ** 3n,
  M: 10n ** 6n,
  G: 10n ** 9n,
  T: 10n ** 12n,
  P: 10n ** 15n,
  Ki: 1n << 10n,
  Mi: 1n << 20n,
  Gi: 1n << 30n,
  Ti: 1n << 40n,
  Pi: 1n << 50n,
};

export const KiB = 1n << 10n;
export const MiB = 1n << 20n;
export const GiB = 1n << 30n;

/** The bytes of a quantity without fraction or exponent, or undefined when it is none. */
export function parseQuantity(text: string): bigint | undefined {
  const [, digits, unit] = /^(\d{1,18})([kMGTP]|[KMGTP]i)?$/.exec(text) ?? [];
  const factor = units[unit ?? ''];
  return digits === undefined || factor === undefined ? undefined : BigInt(digits) * factor;
}

/** `1536 MiB` as `1.5 GiB`: one digit after the point, rounded down, so that free space is never overstated. */
export function formatBytes(bytes: bigint): string {
  const steps: readonly (readonly [string, bigint])[] = [
    ['PiB', 1n << 50n],
    ['TiB', 1n << 40n],
    ['GiB', GiB],
    ['MiB', MiB],
    ['KiB', KiB],
  ];
  const [name, size] = steps.find(([, step]) => bytes >= step) ?? ['B', 1n];
  const tenths = (bytes * 10n) / size;
  return tenths % 10n === 0n ? `${tenths / 10n} ${name}` : `${tenths / 10n}.${tenths % 10n} ${name}`;
}
