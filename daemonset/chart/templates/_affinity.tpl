{{/* The affinity of the agents of a group; those of the rest of the nodes keep off the nodes of the other groups. */}}
{{- define "berth.affinity" -}}
{{- $affinity := deepCopy .root.Values.affinity }}
{{- if and .root.Values.nodeGroups (not .group.suffix) }}
{{- $key := "" }}
{{- $values := list }}
{{- range .root.Values.nodeGroups }}
{{- range $label, $value := include "berth.groupLabel" . | fromYaml }}
{{- $key = $label }}
{{- $values = append $values $value }}
{{- end }}
{{- end }}
{{- $others := dict "key" $key "operator" "NotIn" "values" $values }}
{{- $node := get $affinity "nodeAffinity" | default dict }}
{{- $required := get $node "requiredDuringSchedulingIgnoredDuringExecution" | default dict }}
{{- $terms := list }}
{{- range get $required "nodeSelectorTerms" | default (list dict) }}
{{- $terms = append $terms (set (deepCopy .) "matchExpressions" (append (get . "matchExpressions" | default list) $others)) }}
{{- end }}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) }}
{{- $_ := set $affinity "nodeAffinity" $node }}
{{- end }}
{{- if $affinity }}{{ toYaml $affinity }}{{ end }}
{{- end }}
