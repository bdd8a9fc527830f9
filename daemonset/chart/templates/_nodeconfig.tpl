{{/* The NodeConfig of a group of nodes: `root` and the group's `config`. Folders that are the agent's own defaults are left out. */}}
{{- define "berth.nodeConfig" -}}
{{- $plugins := .root.Values.plugins }}
{{- $folders := include "berth.folders" .root | fromYaml }}
{{- $agent := deepCopy .config.agent }}
{{- with .root.Values.metrics }}
{{- if .enabled }}
{{- $files := dict }}
{{- if .tlsSecret }}{{ $files = dict "certFile" "/etc/berth-tls/tls.crt" "keyFile" "/etc/berth-tls/tls.key" }}{{ end }}
{{- $_ := set $agent "metrics" (merge (dig "metrics" dict $agent) $files) }}
{{- end }}
{{- end -}}
# What Berth does on each node. Every key has a default; `berth validate FILE` names everything that is wrong.
apiVersion: berth.dev/v1alpha1
kind: NodeConfig

# The daemon itself. The port is on 127.0.0.1 of the node: /livez, /readyz, /metrics.
agent:
  {{- toYaml $agent | nindent 2 }}
{{- if ne $folders.kubelet "/var/lib/kubelet" }}

# The kubelet of this distribution.
kubelet:
  rootDir: {{ $folders.kubelet }}
{{- end }}
{{- if $plugins.network.enabled }}
{{- $network := deepCopy .config.network }}
{{- if ne $folders.cniBin "/opt/cni/bin" }}{{ $_ := set $network "cniBinDir" $folders.cniBin }}{{ end }}
{{- if ne $folders.cniConf "/etc/cni/net.d" }}{{ $_ := set $network "cniConfDir" $folders.cniConf }}{{ end }}

# The pod network.
network:
  {{- toYaml $network | nindent 2 }}
{{- end }}
{{- if $plugins.devices.enabled }}

# Device nodes for pods: a container asks for one with limits: {berth.dev/fuse: 1}.
devices:
  # More resources, which may change while the agent runs: the ConfigMap berth-devices, if there is one.
  rulesDir: /etc/berth-devices
  {{- toYaml .config.devices | nindent 2 }}
{{- end }}
{{- if $plugins.storage.enabled }}

# Volumes: image files in a folder of the node, best a filesystem of its own.
storage:
  {{- toYaml .config.storage | nindent 2 }}
{{- end }}
{{- end }}

{{/* The configuration of a node group: what it says itself, over what all have. */}}
{{- define "berth.groupConfig" -}}
{{- mergeOverwrite (deepCopy .root.Values.config) (deepCopy (.group.config | default dict)) | toYaml }}
{{- end }}

{{/* The label of a node group's nodes, as a map with one key. */}}
{{- define "berth.groupLabel" -}}
{{- .nodeSelector | default (dict "berth.dev/node-group" .name) | toYaml }}
{{- end }}

{{/* All groups of nodes: the rest of the nodes first, then those of nodeGroups. Each has name, suffix, selector and config. */}}
{{- define "berth.groups" -}}
{{- $groups := list (dict "name" "default" "suffix" "" "selector" dict "config" .Values.config) }}
{{- range .Values.nodeGroups }}
{{- $config := include "berth.groupConfig" (dict "root" $ "group" .) | fromYaml }}
{{- $groups = append $groups (dict "name" .name "suffix" (printf "-%s" .name) "selector" (include "berth.groupLabel" . | fromYaml) "config" $config) }}
{{- end }}
{{- dict "list" $groups | toYaml }}
{{- end }}

{{/* Whether any node allows inline volumes of pods: true or nothing. */}}
{{- define "berth.inlineVolumes" -}}
{{- $inline := false }}
{{- range (include "berth.groups" . | fromYaml).list }}{{ $inline = or $inline (dig "ephemeral" "enabled" false .config.storage) }}{{ end }}
{{- if $inline }}true{{ end }}
{{- end }}
