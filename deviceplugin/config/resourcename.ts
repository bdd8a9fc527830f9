/** Names of extended resources, by the rule with which the kubelet accepts a registration (facts: IsExtendedResourceName). */

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = new RegExp(`^${label}(\\.${label})*$`);
const namePart = /^[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?$/;

/** What is wrong with a resource name, or undefined. */
export function problemOfResourceName(name: string): string | undefined {
  const [domain = '', part, ...more] = name.split('/');
  if (part === undefined || more.length > 0) return 'must be <domain>/<name>, for example berth.dev/fuse';
  if (name.includes('kubernetes.io/')) return 'must not be in a domain of kubernetes.io, which is Kubernetes’ own';
  if (name.startsWith('requests.')) return 'must not begin with "requests.", which quotas use';
  // The kubelet checks the name with "requests." before it: 253 less 9.
  if (domain.length > 244 || !subdomain.test(domain))
    return 'must begin with a DNS domain in small letters of at most 244 characters';
  if (part.length > 63 || !namePart.test(part))
    return 'must have 1 to 63 letters, digits, "-", "_" or "." after the "/", beginning and ending with a letter or digit';
  return undefined;
}

/** A resource name as part of an environment variable's name: `berth.dev/fuse` → `BERTH_DEV_FUSE`. */
export function environmentPart(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
}
