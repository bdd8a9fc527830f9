{{/* What containers mount of the node, each with the reason; and the volumes they come from. */}}

{{- define "berth.mountConfig" -}}
- name: config
  mountPath: /etc/berth
  readOnly: true
{{- with .root.Values.metrics }}
{{- if and .enabled .tlsSecret }}
- name: metrics-tls
  mountPath: /etc/berth-tls
  readOnly: true
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.mountRun" -}}
# The sockets of the CNI executable and of `berth get`, and attachments: they must outlive this container, and no reboot.
- name: run
  mountPath: /run/berth
{{- end }}

{{- define "berth.mountsOfNetwork" -}}
# Namespaces of pods that start later than the agent: the runtime mounts each of them here.
- name: netns
  mountPath: /run/netns
  mountPropagation: HostToContainer
# Where the container runtime looks for CNI executables and their configuration.
- name: cni-bin
  mountPath: {{ .folders.cniBin }}
- name: cni-conf
  mountPath: {{ .folders.cniConf }}
{{- end }}

{{- define "berth.mountsOfDevices" -}}
# Resources that change while the agent runs.
- name: devices
  mountPath: /etc/berth-devices
  readOnly: true
# What udev knows of devices; empty on a node without udev.
- name: udev
  mountPath: /run/udev
  readOnly: true
# CDI files, which the container runtime reads.
- name: cdi
  mountPath: {{ dig "cdiDir" "/var/run/cdi" .group.config.devices }}
{{- with dig "featuresDir" "" .group.config.devices }}
# Labels of the node, which Node Feature Discovery makes of these.
- name: features
  mountPath: {{ . }}
{{- end }}
{{- end }}

{{- define "berth.mountsOfStorage" -}}
# The kubelet's sockets (device-plugins, plugins, plugins_registry) and the paths where it wants volumes, at the
# same path as on the node because it tells them to us. Bidirectional: our mounts must reach the node and the pods.
- name: kubelet
  mountPath: {{ .folders.kubelet }}
  mountPropagation: Bidirectional
# Loop devices and hot-plugged devices appear after this container has started; its own /dev would not show them.
- name: dev
  mountPath: /dev
# I/O limits of volumes are written into the cgroups of pods. A container's own view ends at its own group (cgroup v1, and
# v2 with a cgroup namespace), so it needs the node's.
- name: cgroup
  mountPath: /sys/fs/cgroup
# Pools and what must survive a reboot. Bidirectional: a disk may be mounted below it while the agent runs, and what
# the agent mounts there for volumes in memory must outlive it.
- name: state
  mountPath: /var/lib/berth
  mountPropagation: Bidirectional
{{- range $at, $path := (include "berth.pools" . | fromYaml).elsewhere }}
# A pool elsewhere.
- name: pool-{{ $at }}
  mountPath: {{ $path }}
  mountPropagation: Bidirectional
{{- end }}
{{- end }}

{{/* Folders of pools that are not below /var/lib/berth. */}}
{{- define "berth.pools" -}}
{{- $elsewhere := list }}
{{- range .group.config.storage.pools }}
{{- if not (hasPrefix "/var/lib/berth/" .path) }}{{ $elsewhere = append $elsewhere .path }}{{ end }}
{{- end }}
{{- dict "elsewhere" ($elsewhere | uniq) | toYaml }}
{{- end }}

{{- define "berth.volumes" -}}
{{- $plugins := .root.Values.plugins }}
{{- $split := eq .root.Values.containers "split" -}}
- name: config
  configMap:
    name: berth-config{{ .group.suffix }}
{{- with .root.Values.metrics }}
{{- if and .enabled .tlsSecret }}
- name: metrics-tls
  secret:
    secretName: {{ .tlsSecret }}
{{- end }}
{{- end }}
- name: run
  hostPath: { path: /run/berth, type: DirectoryOrCreate }
{{- if $plugins.network.enabled }}
- name: netns
  hostPath: { path: /run/netns, type: DirectoryOrCreate }
- name: cni-bin
  hostPath: { path: {{ .folders.cniBin }}, type: DirectoryOrCreate }
- name: cni-conf
  hostPath: { path: {{ .folders.cniConf }}, type: DirectoryOrCreate }
{{- if $split }}
- name: network-state
  hostPath: { path: /var/lib/berth/network, type: DirectoryOrCreate }
- name: proc-sys
  hostPath: { path: /proc/sys, type: Directory }
{{- end }}
{{- end }}
{{- if $plugins.devices.enabled }}
- name: devices
  configMap:
    name: berth-devices
    optional: true
- name: udev
  hostPath: { path: /run/udev, type: DirectoryOrCreate }
- name: cdi
  hostPath: { path: {{ dig "cdiDir" "/var/run/cdi" .group.config.devices }}, type: DirectoryOrCreate }
{{- with dig "featuresDir" "" .group.config.devices }}
- name: features
  hostPath: { path: {{ . }}, type: DirectoryOrCreate }
{{- end }}
{{- if $split }}
- name: devices-state
  hostPath: { path: /var/lib/berth/devices, type: DirectoryOrCreate }
{{- range list "device-plugins" "plugins_registry" "pod-resources" }}
- name: {{ replace "_" "-" . }}
  hostPath: { path: {{ $.folders.kubelet }}/{{ . }}, type: Directory }
{{- end }}
{{- end }}
{{- end }}
{{- if or (not $split) $plugins.storage.enabled $plugins.devices.enabled }}
- name: dev
  hostPath: { path: /dev, type: Directory }
{{- end }}
{{- if or $plugins.storage.enabled (not $split) }}
- name: kubelet
  hostPath: { path: {{ .folders.kubelet }}, type: Directory }
- name: state
  hostPath: { path: /var/lib/berth, type: DirectoryOrCreate }
{{- end }}
{{- if or $plugins.storage.enabled (not $split) }}
- name: cgroup
  hostPath: { path: /sys/fs/cgroup, type: Directory }
{{- end }}
{{- if $plugins.storage.enabled }}
# Not made where it is missing, nor is any other of the kubelet's: then this is not the kubelet's folder.
- name: csi-socket
  hostPath: { path: {{ .folders.kubelet }}/plugins, type: Directory }
{{- end }}
{{- if or $plugins.storage.enabled (not $split) }}
{{- range $at, $path := (include "berth.pools" . | fromYaml).elsewhere }}
- name: pool-{{ $at }}
  hostPath: { path: {{ $path }}, type: DirectoryOrCreate }
{{- end }}
{{- end }}
{{- end }}
