/** Device IDs as the kubelet has them: a unit and one of its replicas, `<unit id>::<n>`. */

const separator = '::';

/** The ID of a replica. It always has its number, so that a changed count of replicas renames nothing. */
export function deviceId(unit: string, replica: number): string {
  return `${unit}${separator}${replica}`;
}

/** The unit of a device ID; the whole text where it is none of ours. */
export function unitIdOf(device: string): string {
  const at = device.lastIndexOf(separator);
  return at < 0 ? device : device.slice(0, at);
}

/** The replica of a device ID; 0 where there is none. */
export function replicaOf(device: string): number {
  const at = device.lastIndexOf(separator);
  const number = at < 0 ? 0 : Number(device.slice(at + separator.length));
  return Number.isSafeInteger(number) ? number : 0;
}
