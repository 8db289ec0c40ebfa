package service

import "context"

// Version is what Redis, or one of its nodes, says it is, such as 7.0.15; "" where it does not answer, may not be asked, or
// there is none.
func (r *Redis) Version(ctx context.Context) string {
	if r == nil {
		return ""
	}
	said := r.Client.InfoMap(ctx, "server").Val()["Server"]
	if name, version := said["server_name"], said[said["server_name"]+"_version"]; name != "" && version != "" {
		return name + " " + version // Valkey, which says which Redis it is like, too
	}
	return said["redis_version"]
}
