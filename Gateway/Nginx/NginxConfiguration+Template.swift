extension NginxConfiguration {
    /// - `fastcgi_keep_conn` and `keepalive`: connections to the gateway are reused.
    /// - `worker_cpu_affinity`: a worker that stays where it is finds its caches warm; under load that is a tenth of all requests.
    /// - `fastcgi_buffering off`: each chunk of a stream passes at once, and a slow client slows its own stream only.
    /// - Request buffering stays on: a slow upload occupies nginx and no worker.
    /// - The gateway has the deadlines, so nginx waits longer than any function may run.
    /// - The limit on requests is nginx's own, so that what the gateway has to hold is bounded; `/health` and `/status` do not count.
    /// - nginx tells of a client that left by closing its connection to the gateway (`fastcgi_ignore_client_abort off`).
    static let template = #"""
        {{#user}}
        user {{.}};
        {{/user}}
        worker_processes auto;
        worker_cpu_affinity auto;
        {{#folder}}
        pid "{{.}}/nginx.pid";
        error_log "{{.}}/error.log" warn;
        {{/folder}}

        worker_rlimit_nofile {{files}};
        events {
            worker_connections {{connections}};
        }

        http {
            {{#folder}}
            access_log off;
            client_body_temp_path "{{.}}/body";
            fastcgi_temp_path "{{.}}/fastcgi";
            proxy_temp_path "{{.}}/proxy";
            uwsgi_temp_path "{{.}}/uwsgi";
            scgi_temp_path "{{.}}/scgi";
            {{/folder}}
            server_tokens off;
            tcp_nodelay on;
            merge_slashes off;
            underscores_in_headers off;
            client_max_body_size {{largest_body}};
            client_body_buffer_size 128k;
            large_client_header_buffers 4 32k;
            # Sockets, not ports: many clients may wait at once.
            keepalive_timeout 75s;
            # All requests count together, so that some connections are always left for what must be answered when all else is full.
            limit_conn_zone all zone=requests:32k;
            limit_conn_status 429;

            upstream swiftlet {
                server "unix:{{gateway}}";
                keepalive 64;
            }

            server {
                listen {{listen}} backlog=4096;
                default_type application/json;

                fastcgi_keep_conn on;
                fastcgi_buffering off;
                fastcgi_ignore_client_abort off;
                fastcgi_next_upstream off;
                fastcgi_connect_timeout 5s;
                fastcgi_read_timeout 24h;
                fastcgi_send_timeout 60s;
                fastcgi_buffer_size 32k;
                fastcgi_buffers 8 32k;

                fastcgi_param GATEWAY_INTERFACE CGI/1.1;
                fastcgi_param SERVER_PROTOCOL   $server_protocol;
                fastcgi_param SERVER_NAME       $host;
                fastcgi_param SERVER_PORT       $server_port;
                fastcgi_param REQUEST_METHOD    $request_method;
                fastcgi_param REQUEST_SCHEME    $scheme;
                fastcgi_param REQUEST_URI       $request_uri;
                fastcgi_param SCRIPT_NAME       $document_uri;
                fastcgi_param QUERY_STRING      $query_string;
                fastcgi_param CONTENT_TYPE      $content_type;
                fastcgi_param CONTENT_LENGTH    $content_length;
                fastcgi_param REMOTE_ADDR       $remote_addr;
                fastcgi_param REMOTE_PORT       $remote_port;
                # CVE-2016-5385
                fastcgi_param HTTP_PROXY        "";

                location / {
                    limit_conn requests {{requests}};
                    fastcgi_pass swiftlet;
                }
                location = /health { fastcgi_pass swiftlet; }
                location = /status { fastcgi_pass swiftlet; }

                error_page 400 /swiftlet-error/400;
                error_page 413 /swiftlet-error/413;
                error_page 429 /swiftlet-error/429;
                error_page 502 /swiftlet-error/502;
                error_page 503 504 =503 /swiftlet-error/503;
                location = /swiftlet-error/400 { internal; return 400 '{{bad_request}}'; }
                location = /swiftlet-error/413 { internal; return 413 '{{too_large}}'; }
                location = /swiftlet-error/429 { internal; add_header Retry-After 1 always; return 429 '{{too_many}}'; }
                location = /swiftlet-error/502 { internal; return 502 '{{bad_gateway}}'; }
                location = /swiftlet-error/503 { internal; return 503 '{{unavailable}}'; }
            }
        }

        """#
}
