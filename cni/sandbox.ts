/** The pod's side of an attachment: its network namespace, and all that is set inside it. */
import { BerthError, messageOf } from '../kit/errors.ts';
import { familyOf } from '../linux/ipaddress.ts';
import type { NetworkNamespace } from '../linux/netns.ts';
import type { RouteRequest } from '../linux/rtnetlink/requests.ts';
import type { Attachment } from './attachment.ts';
import { CniError } from './errors.ts';
import type { NetworkKernel } from './kernel.ts';
import { loopbackRequests, sandboxRequests } from './plan.ts';
import { cniCode } from './protocol.ts';
import { sysctlName } from './sysctls.ts';

export class Sandboxes {
  readonly #kernel: NetworkKernel;
  readonly #sysctls: Readonly<Record<string, string>>;

  /** `sysctls`: kernel parameters of every pod. */
  constructor(kernel: NetworkKernel, sysctls: Readonly<Record<string, string>>) {
    this.#kernel = kernel;
    this.#sysctls = sysctls;
  }

  /** The caller closes it. Throws CniError for what is no namespace of a pod. */
  open(path: string): NetworkNamespace {
    try {
      return this.#kernel.namespaces.open(path);
    } catch (error) {
      if (!(error instanceof BerthError)) throw error;
      const code = error.code === 'FAILED_PRECONDITION' ? cniCode.invalidNamespace : cniCode.invalidEnvironment;
      throw new CniError(code, `CNI_NETNS: ${error.message}`, { cause: error.cause });
    }
  }

  /** Sets up the pod's end, whose link is there already. */
  async configure(attachment: Attachment, namespace: NetworkNamespace): Promise<void> {
    this.#openToIpv6(attachment, namespace);
    this.#setParameters(attachment, namespace);
    await this.#apply(namespace, sandboxRequests(attachment));
  }

  async bringUpLoopback(namespace: NetworkNamespace): Promise<void> {
    await this.#apply(namespace, loopbackRequests);
  }

  /**
   * Before the pod's end is up: it takes no routers' word, has IPv6 also where the runtime's namespaces begin without, and
   * keeps its address when it goes down and up again, as the kernel has it do by itself for IPv4 alone.
   */
  #openToIpv6({ addresses, sandbox }: Attachment, namespace: NetworkNamespace): void {
    if (!addresses.some((address) => familyOf(address) === 6)) return;
    const { sysctl } = this.#kernel;
    sysctl.setIn(namespace, `net/ipv6/conf/${sandbox.name}/accept_ra`, '0');
    sysctl.setIn(namespace, `net/ipv6/conf/${sandbox.name}/disable_ipv6`, '0');
    sysctl.setIn(namespace, `net/ipv6/conf/${sandbox.name}/keep_addr_on_down`, '1');
  }

  /** What the configuration sets for every pod, before the pod's end is up. */
  #setParameters({ sandbox }: Attachment, namespace: NetworkNamespace): void {
    for (const [name, value] of Object.entries(this.#sysctls))
      try {
        this.#kernel.sysctl.setIn(namespace, sysctlName(name, sandbox.name), value);
      } catch (error) {
        throw new CniError(
          cniCode.invalidNetworkConfig,
          `network.sysctls of the NodeConfig: ${name} cannot be "${value}" in a pod: ${causeOf(error)}`,
          { cause: error },
        );
      }
  }

  async #apply(namespace: NetworkNamespace, requests: readonly RouteRequest[]): Promise<void> {
    const socket = this.#kernel.rtnetlink.open(namespace);
    try {
      await socket.apply(requests);
    } finally {
      socket.close();
    }
  }
}

/** The kernel's own words, without advice about parameters of the node. */
function causeOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}
