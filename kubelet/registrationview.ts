/** What people see of a registration with the kubelet: a plain value with stable names, the same for every plugin. */
export interface RegistrationView {
  readonly kind: 'device plugin' | 'CSI driver';
  /** Of the resource, or of the driver. */
  readonly name: string;
  /** `registered`, or where it stands on the way there. */
  readonly state: string;
  /** Why it is not registered; empty when it is. */
  readonly reason: string;
}
