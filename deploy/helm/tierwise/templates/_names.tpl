{{- define "tierwise.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tierwise.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tierwise.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "tierwise.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "tierwise.account" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "tierwise.name" .) }}
{{- else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "tierwise.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What the gateway and the migration have in common: where configuration and secrets are. */}}
{{- define "tierwise.mounts" -}}
- {name: config, mountPath: /etc/tierwise, readOnly: true}
- {name: secrets, mountPath: /run/secrets/tierwise, readOnly: true}
- {name: data, mountPath: /var/lib/tierwise}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{/* Called with a list: what holds the values, and the name of the ConfigMap. */}}
{{- define "tierwise.volumes" -}}
- name: config
  configMap: {name: {{ index . 1 }}}
- name: secrets
  secret: {secretName: {{ (index . 0).Values.secretName | quote }}, defaultMode: 0440}
- name: data
  emptyDir: {sizeLimit: 1Gi}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- end }}

{{/* Mistakes that would only show under load, or never. */}}
{{- define "tierwise.checked" -}}
{{- $ledger := .Values.config.ledger | default dict }}
{{- $state := .Values.config.state | default dict }}
{{- $replicas := ternary (int .Values.autoscaling.maxReplicas) (int .Values.replicaCount) .Values.autoscaling.enabled }}
{{- if and (gt $replicas 1) (not $ledger.url) }}
{{- fail "config.ledger.url is not set: more than one replica needs one ledger. Set it, or set replicaCount to 1 and autoscaling.enabled to false." }}
{{- end }}
{{- if and (gt $replicas 1) (not $state.url) }}
{{- fail "config.state.url is not set: more than one replica must count limits and budgets together. Set it, or set replicaCount to 1 and autoscaling.enabled to false." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas: lower it." }}
{{- end }}
{{- $grace := dig "server" "grace_s" 30 .Values.config }}
{{- $notice := dig "server" "notice_s" 0 .Values.config }}
{{- $least := add (ceil $grace) (ceil $notice) (int .Values.preStopSeconds) 15 }}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $least) }}
{{- fail (printf "terminationGracePeriodSeconds is %d: raise it to %d at least (preStopSeconds, config.server.notice_s, config.server.grace_s, and 15 to write the ledger to its end), or streams are cut and records lost." (int .Values.terminationGracePeriodSeconds) (int $least)) }}
{{- end }}
{{- $tls := dig "server" "tls" dict .Values.config | default dict }}
{{- if ne (ternary "HTTPS" "HTTP" (gt (len $tls) 0)) .Values.probes.scheme }}
{{- fail (printf "probes.scheme is %s, and config.server.tls says otherwise: no replica would ever be ready." .Values.probes.scheme) }}
{{- end }}
{{- if $tls.client_ca }}
{{- fail "config.server.tls.client_ca lets in only who shows a certificate, and probes show none: check certificates at the ingress instead." }}
{{- end }}
{{- end }}
