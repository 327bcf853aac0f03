{{- define "name" -}}
{{- if contains "email-consumer" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-email-consumer" .Release.Name }}{{ end -}}
{{- end }}

{{- /* The process with the volume and the API. */ -}}
{{- define "server" -}}
{{- if eq .Values.mode "run" }}run{{ else }}sidecar{{ end -}}
{{- end }}

{{- define "serverName" -}}
{{- if eq .Values.mode "run" }}{{ include "name" . }}{{ else }}{{ include "name" . }}-sidecar{{ end -}}
{{- end }}

{{- define "secretName" -}}
{{- .Values.secret.existing | default (include "name" .) -}}
{{- end }}

{{- define "selectorLabels" -}}
app.kubernetes.io/name: email-consumer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "labels" -}}
{{ include "selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "labels" $root | nindent 2 }}
{{- end }}

{{- /* The pod of a role, all but its volumes: (list $ role resources). */ -}}
{{- define "pod" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
metadata:
  labels:
    {{- include "selectorLabels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $role }}
  annotations:
    checksum/configuration: {{ include (print $root.Template.BasePath "/configuration.yaml") $root | sha256sum }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "name" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Longer than SHUTDOWN_GRACE: requests in flight are answered, recorded and acknowledged.
  terminationGracePeriodSeconds: {{ add 15 (ceil (float64 $root.Values.env.SHUTDOWN_GRACE)) }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $root.Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    # The user owns the volume.
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: {{ $role }}
      {{- with $root.Values.image }}
      image: {{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $root.Chart.AppVersion }}{{ end }}
      imagePullPolicy: {{ .pullPolicy }}
      {{- end }}
      args: [{{ $role }}]
      envFrom:
        - configMapRef: {name: {{ include "name" $root }}}
        {{- if or $root.Values.secret.existing $root.Values.secret.values }}
        - secretRef: {name: {{ include "secretName" $root }}}
        {{- end }}
      ports:
        - {name: http, containerPort: 3000}
      # At startup it migrates its tables, or waits for the lease of another process to expire. Not /ready, which also checks NATS
      # and SES: a restart would not help those.
      startupProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5, failureThreshold: 60}
      livenessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5, failureThreshold: 6}
      readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5, failureThreshold: 2}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{ toYaml (index . 2) | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if ne $role "worker" }}
        - {name: data, mountPath: /data}
        {{- end }}
        {{- if $root.Values.nats.caSecret }}
        - {name: nats-ca, mountPath: /etc/nats-ca, readOnly: true}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {}}
    {{- with $root.Values.nats.caSecret }}
    - {name: nats-ca, secret: {secretName: {{ . }}}}
    {{- end }}
{{- end }}
