/** For tests: series with which each alert fires, and such that look like it and are well. Values as promtool writes them, one a minute. */

export interface AlertCase {
  readonly alert: string;
  /** Series and values. `{…}` is completed with `node="a",instance="a:1",job="berth"`. */
  readonly firing: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
  /** When to look. */
  readonly at: string;
}

const build = { 'berth_build_info{version="1"}': '1x600' };
/** Calls of a method or operation that go well, next to those that do not. */
const csiWell = { 'berth_csi_calls_total{method="NodeStageVolume",code="OK"}': '0+10x600' };
const cniWell = { 'berth_cni_requests_total{op="ADD",code="0"}': '0+10x600' };
const GiB = 1_073_741_824;
const size = { 'berth_csi_pool_size_bytes{pool="p"}': `${10 * GiB}x600` };
const free = (count: number): Record<string, string> => ({
  'berth_cni_addresses{family="ipv4",state="free"}': `${count}x600`,
  'berth_cni_addresses{family="ipv4",state="used"}': `${100 - count}x600`,
  'berth_cni_addresses{family="ipv4",state="cooling"}': '5x600',
});

/** Calls of which most take about as long as the bucket says. */
function latency(metric: string, labels: string, upTo: string): Record<string, string> {
  return {
    [`${metric}_bucket{${labels},le="0.001"}`]: '0x600',
    [`${metric}_bucket{${labels},le="${upTo}"}`]: '0+10x600',
    [`${metric}_bucket{${labels},le="+Inf"}`]: '0+10x600',
  };
}

export const alertCases: readonly AlertCase[] = [
  { alert: 'BerthAgentDown', firing: { 'up{}': '0x600' }, quiet: { 'up{}': '1 1 0 0 0 1x600' }, at: '8m' },
  {
    alert: 'BerthServiceNotReady',
    firing: { 'berth_service_ready{service="network"}': '0x600' },
    quiet: { 'berth_service_ready{service="network"}': '0 0 0 1x600' },
    at: '8m',
  },
  {
    alert: 'BerthAgentRestarts',
    firing: { ...build, 'process_start_time_seconds{}': '1x10 2x10 3x10 4x10 5x100' },
    // A new one for an upgrade; and other programs may start as often as they like.
    quiet: { ...build, 'process_start_time_seconds{}': '1x20 2x100', 'process_start_time_seconds{job="b"}': '1+1x100' },
    at: '59m',
  },
  {
    alert: 'BerthAgentMemoryHigh',
    firing: { ...build, 'process_resident_memory_bytes{}': '430000000x600' },
    quiet: {
      ...build,
      'process_resident_memory_bytes{}': '120000000x600',
      'process_resident_memory_bytes{job="b"}': '9000000000x600',
    },
    at: '30m',
  },
  {
    alert: 'BerthEventLoopLate',
    firing: { ...build, 'nodejs_eventloop_lag_p99_seconds{}': '0.8x600' },
    quiet: { ...build, 'nodejs_eventloop_lag_p99_seconds{}': '0.1x9 2 0.1x600' },
    at: '30m',
  },
  {
    alert: 'BerthConfigNotInEffect',
    firing: { 'berth_config_in_effect{}': '0x600' },
    // While an upgrade goes over the nodes.
    quiet: { 'berth_config_in_effect{}': '0x20 1x600' },
    at: '60m',
  },
  {
    alert: 'BerthApiWatchLost',
    firing: { 'berth_kubernetes_watch_up{collection="nodes"}': '0x600' },
    quiet: { 'berth_kubernetes_watch_up{collection="nodes"}': '0x5 1x600' },
    at: '20m',
  },
  {
    alert: 'BerthVersionsDiffer',
    firing: { ...build, 'berth_build_info{version="2",instance="b:1"}': '1x600' },
    quiet: { ...build, 'berth_build_info{version="1",instance="b:1"}': '1x600' },
    at: '130m',
  },
  { alert: 'BerthPodAddressesLow', firing: free(5), quiet: free(50), at: '20m' },
  { alert: 'BerthPodAddressesUsedUp', firing: free(0), quiet: free(1), at: '20m' },
  {
    alert: 'BerthCniErrors',
    firing: { ...cniWell, 'berth_cni_requests_total{op="ADD",code="11"}': '0+5x600' },
    // One in a hundred; and a DEL that fails is tried again without anybody waiting.
    quiet: {
      'berth_cni_requests_total{op="ADD",code="0"}': '0+99x600',
      'berth_cni_requests_total{op="ADD",code="11"}': '0+1x600',
      'berth_cni_requests_total{op="DEL",code="11"}': '0+50x600',
    },
    at: '30m',
  },
  {
    alert: 'BerthCniSlow',
    firing: latency('berth_cni_request_duration_seconds', 'op="ADD"', '5'),
    quiet: latency('berth_cni_request_duration_seconds', 'op="ADD"', '0.005'),
    at: '30m',
  },
  {
    alert: 'BerthNodeRangesUnreachable',
    firing: { 'berth_cni_node_ranges{state="unreachable"}': '2x600' },
    quiet: { 'berth_cni_node_ranges{state="unreachable"}': '0x600', 'berth_cni_node_ranges{state="routed"}': '9x600' },
    at: '10m',
  },
  {
    alert: 'BerthNetworkRepaired',
    firing: { 'berth_cni_repairs_total{what="table"}': '0+1x600' },
    quiet: { 'berth_cni_repairs_total{what="table"}': '0x20 1x600' },
    at: '1h',
  },
  {
    alert: 'BerthDevicesUnhealthy',
    firing: { 'berth_device_devices{resource="r",health="unhealthy"}': '1x600' },
    quiet: {
      'berth_device_devices{resource="r",health="unhealthy"}': '0x600',
      'berth_device_devices{resource="r",health="healthy"}': '4x600',
    },
    at: '20m',
  },
  {
    alert: 'BerthResourceNotWithKubelet',
    firing: {
      'berth_device_kubelet_session_state{resource="r",state="streaming"}': '0x600',
      'berth_device_kubelet_session_state{resource="r",state="waiting"}': '1x600',
    },
    quiet: {
      'berth_device_kubelet_session_state{resource="r",state="streaming"}': '0 0 1x600',
      'berth_device_kubelet_session_state{resource="r",state="lost"}': '0x600',
    },
    at: '10m',
  },
  {
    alert: 'BerthDevicesDrift',
    firing: { 'berth_device_drift{resource="r"}': '-2x600' },
    quiet: { 'berth_device_drift{resource="r"}': '1 1 0x600' },
    at: '20m',
  },
  {
    alert: 'BerthDeviceSourceDegraded',
    firing: { 'berth_device_source_degraded{source="uevents"}': '1x600' },
    quiet: { 'berth_device_source_degraded{source="uevents"}': '0x600' },
    at: '30m',
  },
  {
    alert: 'BerthPoolAlmostFull',
    firing: { ...size, 'berth_csi_pool_available_bytes{pool="p"}': `${0.5 * GiB}x600` },
    quiet: { ...size, 'berth_csi_pool_available_bytes{pool="p"}': `${5 * GiB}x600` },
    at: '30m',
  },
  {
    alert: 'BerthPoolFillsUp',
    // A MiB a minute: in less than three days.
    firing: { ...size, 'berth_csi_pool_available_bytes{pool="p"}': `${3 * GiB}-1048576x600` },
    quiet: { ...size, 'berth_csi_pool_available_bytes{pool="p"}': `${3 * GiB}-1024x600` },
    at: '2h',
  },
  {
    alert: 'BerthPoolUnhealthy',
    firing: { 'berth_csi_pool_unhealthy{pool="p",health="PoolMissing"}': '1x600' },
    quiet: size,
    at: '5m',
  },
  {
    alert: 'BerthVolumeUnhealthy',
    firing: { 'berth_csi_volume_unhealthy{pool="p",volume="v",health="ImageMissing"}': '1x600' },
    quiet: size,
    at: '5m',
  },
  {
    alert: 'BerthStorageFindings',
    firing: { 'berth_csi_start_findings{pool="p",kind="damaged"}': '1x600' },
    // What a start after a crash finishes.
    quiet: { 'berth_csi_start_findings{pool="p",kind="unfinished"}': '3x600' },
    at: '5m',
  },
  {
    alert: 'BerthCsiErrors',
    firing: { ...csiWell, 'berth_csi_calls_total{method="NodeStageVolume",code="INTERNAL"}': '0+5x600' },
    // Who asks for more than there is gets RESOURCE_EXHAUSTED again and again.
    quiet: { ...csiWell, 'berth_csi_calls_total{method="NodeStageVolume",code="RESOURCE_EXHAUSTED"}': '0+50x600' },
    at: '30m',
  },
  {
    alert: 'BerthCsiSlow',
    firing: latency('berth_csi_call_seconds', 'method="CreateVolume"', '60'),
    quiet: latency('berth_csi_call_seconds', 'method="CreateVolume"', '0.5'),
    at: '30m',
  },
];
