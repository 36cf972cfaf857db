package server

import (
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"pando/httpapi/audit"
	"pando/members/config"
	"pando/stats"
	"pando/storage"
)

// announce logs that the process serves, and prints the banner to the standard output. With a JSON log it prints no
// banner, because log collectors often read the standard output and the standard error together. It prints no banner either if the
// audit log goes to the standard output, because programs read the lines there.
func announce(cfg *config.Config, log *zap.Logger, banner string, fields ...zap.Field) {
	log.Info("serving clients", fields...)
	if cfg.LogFormat == config.LogFormatJSON || cfg.AuditLog == audit.Stdout {
		return
	}
	if _, err := io.WriteString(cfg.Stdout, banner); err != nil {
		log.Debug("banner not printed", zap.Error(err))
	}
}

// logListening logs the version and the addresses. It must be called before the steps of a start that may take long.
func logListening(cfg *config.Config, log *zap.Logger) {
	log.Info("listening", zap.String("version", stats.Version), zap.Int("feature-level", storage.FeatureLevel), zap.String("name", cfg.Name),
		zap.Strings("clients", config.URLStrings(cfg.ListenClientURLs)), zap.Strings("peers", config.URLStrings(cfg.ListenPeerURLs)),
		zap.Strings("metrics", config.URLStrings(cfg.ListenMetricsURLs)), zap.String("data-dir", cfg.DataDir))
}

// banner returns the text that a member prints when it serves. Callers must have replaced port 0 in the URLs of cfg by the
// real port. follows says that the cluster follows a running etcd.
func banner(cfg *config.Config, memberID, clusterID uint64, follows bool) string {
	try := curlCommand(cfg)
	var b strings.Builder
	fmt.Fprintf(&b, "Pando %s: member %s (%x) of cluster %x\n", stats.Version, cfg.Name, memberID, clusterID)
	fmt.Fprintf(&b, "  clients  %s\n", strings.Join(config.URLStrings(cfg.ListenClientURLs), ", "))
	fmt.Fprintf(&b, "  peers    %s\n", strings.Join(config.URLStrings(cfg.ListenPeerURLs), ", "))
	if len(cfg.ListenMetricsURLs) > 0 {
		fmt.Fprintf(&b, "  metrics  %s\n", strings.Join(config.URLStrings(cfg.ListenMetricsURLs), ", "))
	}
	fmt.Fprintf(&b, "  data     %s\n", cfg.DataDir)
	if cfg.WALDir != "" {
		fmt.Fprintf(&b, "  log      %s\n", cfg.WALDir)
	}
	if follows {
		fmt.Fprintf(&b, "This cluster follows an etcd. Next, start pando migrate and keep it running: pando migrate --help\n")
		fmt.Fprintf(&b, "Try it:\n  %s/v2/keys/\n", try)
		return b.String()
	}
	fmt.Fprintf(&b, "Try it:\n")
	fmt.Fprintf(&b, "  %s/v2/keys/message -XPUT -d value=\"Hello world\"\n", try)
	fmt.Fprintf(&b, "  %s/v2/keys/message\n", try)
	return b.String()
}

// curlCommand returns a curl command for a request from this machine to the server, without the path of the URL. It prefers URLs
// without TLS.
func curlCommand(cfg *config.Config) string {
	urls := config.Dialable(cfg.ListenClientURLs)
	if len(urls) == 0 {
		return "curl " + config.DefaultClientURL
	}
	u := urls[0]
	if i := slices.IndexFunc(urls, func(u url.URL) bool { return u.Scheme == "http" }); i >= 0 {
		u = urls[i]
	}
	command, scheme := "curl", "http"
	if config.IsSecure(u) {
		command, scheme = command+curlCertificates(cfg), "https"
	}
	if path := config.SocketPath(u); path != "" {
		return command + " --unix-socket " + path + " " + scheme + "://localhost"
	}
	return command + " " + u.String()
}

// curlCertificates returns the options of curl for an https URL.
func curlCertificates(cfg *config.Config) string {
	t, options := &cfg.ClientTLS, ""
	switch {
	case t.CertFile == "":
		options = " --cacert " + filepath.Join(cfg.DataDir, autoDir, autoClientDir, "cert.pem")
	case t.TrustedCAFile != "":
		options = " --cacert " + t.TrustedCAFile // usually also the CA of the server
	}
	if t.RequiresClientCerts() {
		options += " --cert CLIENT.pem --key CLIENT-key.pem"
	}
	return options
}
