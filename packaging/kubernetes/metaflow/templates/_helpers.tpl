{{- define "metaflow.name" -}}
{{- printf "%s-%s" .Release.Name "metaflow" | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "metaflow.labels" -}}
app.kubernetes.io/name: metaflow
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "metaflow.selector" -}}
app.kubernetes.io/name: metaflow
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "metaflow.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "metaflow.tokenSecret" -}}
{{- .Values.tokenSecret | default (printf "%s-token" (include "metaflow.name" .)) -}}
{{- end -}}

{{- define "metaflow.agentImage" -}}
{{- with .Values.agent.image.repository }}{{ . }}:{{ $.Values.agent.image.tag | default $.Chart.AppVersion }}{{ else }}{{ include "metaflow.image" . }}{{ end -}}
{{- end -}}
