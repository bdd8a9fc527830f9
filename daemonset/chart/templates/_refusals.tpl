{{/* What the schema cannot say: values that contradict each other or the cluster. Each ends the rendering with what to do. */}}

{{- define "berth.refuse" -}}
{{- include "berth.refuseCluster" . }}
{{- include "berth.refuseImage" . }}
{{- include "berth.refusePlugins" . }}
{{- include "berth.refuseFolders" . }}
{{- include "berth.refuseGroups" . }}
{{- include "berth.refuseDriver" . }}
{{- include "berth.refuseMetrics" . }}
{{- end }}

{{- define "berth.refuseCluster" -}}
{{- $version := .Capabilities.KubeVersion.Version }}
{{- if has .Release.Namespace (list "default" "kube-system") }}
{{- fail (printf "Berth wants a namespace of its own, because its pods are privileged, and this is %s: add --namespace berth-system --create-namespace" .Release.Namespace) }}
{{- end }}
{{- if and .Values.policies.enabled (semverCompare "<1.32.0-0" $version) }}
{{- fail (printf "the policies need Kubernetes 1.32 or newer, whose tokens name the node of their pod, and this cluster has %s: upgrade it, or set policies.enabled=false and read docs/security.md for what that means" $version) }}
{{- end }}
{{- if .Values.snapshots.placement.enabled }}
{{- if semverCompare "<1.36.0-0" $version }}
{{- fail (printf "snapshots.placement needs Kubernetes 1.36 or newer, and this cluster has %s: set snapshots.placement.enabled=false and name the node in claims from snapshots (docs/claims.md)" $version) }}
{{- end }}
{{- end }}
{{- if or .Values.snapshots.class.enabled .Values.snapshots.controller.enabled .Values.snapshots.placement.enabled }}
{{- if not .Values.plugins.storage.enabled }}
{{- fail "snapshots need volumes: set plugins.storage.enabled=true, or switch snapshots.class, snapshots.controller and snapshots.placement off" }}
{{- end }}
{{- if not (.Capabilities.APIVersions.Has "snapshot.storage.k8s.io/v1") }}
{{- fail "this cluster has no snapshot API: install the snapshot CRDs first (docs/claims.md), or switch snapshots.class, snapshots.controller and snapshots.placement off; for `helm template` add --api-versions snapshot.storage.k8s.io/v1" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.refuseMetrics" -}}
{{- $metrics := .Values.metrics }}
{{- if $metrics.podMonitor.enabled }}
{{- if not $metrics.enabled }}
{{- fail "metrics.podMonitor would find nothing to read: set metrics.enabled=true too" }}
{{- end }}
{{- if not (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1/PodMonitor") }}
{{- fail "this cluster has no PodMonitor: install the Prometheus operator first, or set metrics.podMonitor.enabled=false; for `helm template` add --api-versions monitoring.coreos.com/v1/PodMonitor" }}
{{- end }}
{{- end }}
{{- range (include "berth.groups" . | fromYaml).list }}
{{- $own := dig "agent" "metrics" dict .config }}
{{- if and $own (not $metrics.enabled) }}
{{- fail "config.agent.metrics is set, and the agents have not the rights for it: set metrics.enabled=true" }}
{{- end }}
{{- if and $metrics.tlsSecret (or (hasKey $own "certFile") (hasKey $own "keyFile")) }}
{{- fail "metrics.tlsSecret and config.agent.metrics.certFile both say which certificate: leave one out" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.refuseImage" -}}
{{- with .Values.image }}
{{- if and .tag .digest }}
{{- fail (printf "image.tag (%s) and image.digest are both set, and only one can be pulled: leave one out" .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.refusePlugins" -}}
{{- $plugins := .Values.plugins }}
{{- if not (or $plugins.network.enabled $plugins.devices.enabled $plugins.storage.enabled) }}
{{- fail "no plugin is on, so there is nothing to do: set plugins.network.enabled, plugins.devices.enabled or plugins.storage.enabled to true" }}
{{- end }}
{{- $names := list }}
{{- $defaults := list }}
{{- range .Values.storageClasses }}
{{- $names = append $names .name }}
{{- if .default }}{{ $defaults = append $defaults .name }}{{ end }}
{{- end }}
{{- if ne (len $names) (len (uniq $names)) }}
{{- fail (printf "storageClasses has a name twice (%s): give each class its own" (join ", " $names)) }}
{{- end }}
{{- if gt (len $defaults) 1 }}
{{- fail (printf "storageClasses has %d defaults (%s), and a cluster has one: leave default: true at one of them" (len $defaults) (join ", " $defaults)) }}
{{- end }}
{{- range (include "berth.groups" . | fromYaml).list }}
{{- if and (eq $.Values.containers "split") $plugins.devices.enabled }}
{{- range .config.devices.resources }}
{{- if ne (dig "health" "open" "no" .) "no" }}
{{- fail (printf "the resource %s has health.open, and the container of the devices may open none: set containers=single, or leave health.open out" .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.refuseFolders" -}}
{{- $owned := dict "agent.socket" "the chart" "agent.stateDir" "the chart" "agent.nodeName" "the chart" "agent.kubeconfig" "the service account" "network.runDir" "the chart" "network.cniBinDir" "cni.binDir" "network.cniConfDir" "cni.confDir" "devices.devRoot" "the chart" "devices.sysRoot" "the chart" "devices.udevRoot" "the chart" "devices.rulesDir" "the chart" "storage.runDir" "the chart" "storage.driverName" "the chart" }}
{{- range (include "berth.groups" . | fromYaml).list }}
{{- $config := .config }}
{{- range $key, $by := $owned }}
{{- $path := splitList "." $key }}
{{- if hasKey (get $config (first $path) | default dict) (last $path) }}
{{- fail (printf "config.%s is set by %s, so that the pod has what it names: leave it out" $key $by) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What a CSIDriver says of inline volumes stays as it was made. `lookup` finds nothing when only rendering. */}}
{{- define "berth.refuseDriver" -}}
{{- $driver := lookup "storage.k8s.io/v1" "CSIDriver" "" "csi.berth.dev" | default dict }}
{{- $inline := include "berth.inlineVolumes" . | eq "true" }}
{{- if and $driver .Values.plugins.storage.enabled (ne $inline (has "Ephemeral" (dig "spec" "volumeLifecycleModes" list $driver))) }}
{{- fail "config.storage.ephemeral.enabled is not what it was, and a CSIDriver cannot change: run `kubectl delete csidriver csi.berth.dev` (volumes in use stay), then repeat this" }}
{{- end }}
{{- end }}

{{- define "berth.refuseGroups" -}}
{{- $names := list }}
{{- $keys := list }}
{{- $values := list }}
{{- range .Values.nodeGroups }}
{{- $names = append $names .name }}
{{- range $key, $value := include "berth.groupLabel" . | fromYaml }}
{{- $keys = append $keys $key }}
{{- $values = append $values $value }}
{{- end }}
{{- range $section, $_ := .config }}
{{- if and (ne $section "agent") (not (get $.Values.plugins $section).enabled) }}
{{- fail (printf "a node group changes config.%s, and plugins.%s.enabled is false: switch the plugin on, or leave the section out" $section $section) }}
{{- end }}
{{- end }}
{{- end }}
{{- if ne (len $names) (len (uniq $names)) }}
{{- fail (printf "nodeGroups has a name twice (%s): give each group its own" (join ", " $names)) }}
{{- end }}
{{- if or (gt (len (uniq $keys)) 1) (ne (len $values) (len (uniq $values))) }}
{{- fail (printf "two nodeGroups could have the same node (%s), which then has two agents: give all groups the same label with different values" (join ", " $names)) }}
{{- end }}
{{- end }}
