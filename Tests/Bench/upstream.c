// upstream.c - mock LLM SSE upstream (orq.ai-like POST /v2/deployments/stream). Single thread, epoll. See Tests/Bench/run
// cc -O2 -msse4.2 -o upstream upstream.c
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <signal.h>
#include <fcntl.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <nmmintrin.h>

static uint64_t now_ns(void){struct timespec t;clock_gettime(CLOCK_MONOTONIC,&t);return (uint64_t)t.tv_sec*1000000000ull+t.tv_nsec;}
static uint32_t crc32c(uint32_t c,const char*p,size_t n){
  uint64_t x=c; while(n>=8){uint64_t v;memcpy(&v,p,8);x=_mm_crc32_u64(x,v);p+=8;n-=8;} c=(uint32_t)x; while(n--)c=_mm_crc32_u8(c,(uint8_t)*p++); return c;}

typedef struct conn {
  int fd; int state; // 0 reading request, 1 streaming, 2 closed
  char *rb; size_t rn, rcap;
  uint64_t nframes, seq; uint64_t gap_ns; int size, batch, docrc, close_after;
  uint64_t deadline; int heap_i;
  uint32_t crc; uint64_t sid;
  char *wb; size_t wn, woff, wcap; // pending output
  int finished; // all generated
  int want_out, in_ready;
  struct conn *rnext;
} conn;

static int def_frames=200, def_size=500, def_batch=1, def_crc=0; static uint64_t def_gap=20000000;
static int ep, verbose=0; static volatile sig_atomic_t stop_flag;
static uint64_t total_streams,total_frames,total_reqs,aborted;
static uint64_t sid_next=1;
// lateness histogram (pacing)
#define HB 4096
static uint64_t late_h[HB]; static uint64_t late_max,late_n;
static int hidx(uint64_t v){ if(v<64) return (int)v; int e=63-__builtin_clzll(v); int s=e-6; return (int)(((s+1)<<6)+((v>>s)&63)); }
static uint64_t hval(int i){ if(i<64) return i; int s=(i>>6)-1; return ((uint64_t)(64+(i&63)))<<s; }
static uint64_t hq(uint64_t*h,uint64_t n,double q){ uint64_t t=(uint64_t)(q*n),a=0; for(int i=0;i<HB;i++){a+=h[i]; if(a>t) return hval(i);} return 0; }

// min-heap of paced conns
static conn **heap; static int hn,hcap;
static void hswap(int a,int b){conn*t=heap[a];heap[a]=heap[b];heap[b]=t;heap[a]->heap_i=a;heap[b]->heap_i=b;}
static void hup(int i){while(i){int p=(i-1)/2; if(heap[p]->deadline<=heap[i]->deadline)break; hswap(i,p); i=p;}}
static void hdown(int i){for(;;){int l=2*i+1,m=i; if(l<hn&&heap[l]->deadline<heap[m]->deadline)m=l; if(l+1<hn&&heap[l+1]->deadline<heap[m]->deadline)m=l+1; if(m==i)break; hswap(i,m); i=m;}}
static void hpush(conn*c){ if(hn==hcap){hcap=hcap?hcap*2:1024;heap=realloc(heap,hcap*sizeof*heap);} heap[hn]=c;c->heap_i=hn;hn++;hup(hn-1);}
static void hremove(conn*c){int i=c->heap_i; if(i<0)return; hn--; if(i!=hn){heap[i]=heap[hn];heap[i]->heap_i=i;hdown(i);hup(i);} c->heap_i=-1;}
// ready ring for gap 0 (fair round robin)
static conn *rq_head,*rq_tail;
static void rq_push(conn*c){ if(c->in_ready)return; c->in_ready=1;c->rnext=0; if(rq_tail)rq_tail->rnext=c; else rq_head=c; rq_tail=c;}
static conn* rq_pop(void){conn*c=rq_head; if(c){rq_head=c->rnext; if(!rq_head)rq_tail=0; c->in_ready=0;} return c;}

static void wneed(conn*c,size_t n){ if(c->woff==c->wn) c->woff=c->wn=0; if(c->wn+n>c->wcap){ c->wcap=(c->wn+n)*2; c->wb=realloc(c->wb,c->wcap);} }
static void ev(conn*c,int out){ if(c->want_out==out)return; c->want_out=out; struct epoll_event e={.events=EPOLLIN|EPOLLRDHUP|(out?EPOLLOUT:0),.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);}
static conn *graveyard;
static void cclose(conn*c){ if(c->state==2)return; if(c->state==1&&!(c->finished&&c->woff==c->wn)) aborted++; hremove(c); close(c->fd); c->state=2; if(!c->in_ready){free(c->rb);free(c->wb);c->rb=c->wb=0; c->rnext=graveyard; graveyard=c;} }
static int flush_c(conn*c){ // 1 all sent, 0 blocked, -1 closed
  while(c->woff<c->wn){ ssize_t r=send(c->fd,c->wb+c->woff,c->wn-c->woff,MSG_NOSIGNAL|MSG_DONTWAIT);
    if(r<0){ if(errno==EAGAIN){ev(c,1);return 0;} if(errno==EINTR)continue; cclose(c);return -1;} c->woff+=r; }
  c->woff=c->wn=0; ev(c,0); return 1; }

static const char *words[]={" the"," model"," returns"," one"," token"," at"," a"," time"," and"," then"," \\\"quoted\\\""," naïve"," 日本"," done",".\\n"," latency"};
static const char PADS[]="lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla pariatur ";
// one SSE frame as one HTTP chunk, appended to wb
static void put_chunk(conn*c,const char*body,size_t bn){
  if(c->docrc) c->crc=crc32c(c->crc,body,bn);
  wneed(c,bn+32); c->wn+=sprintf(c->wb+c->wn,"%zx\r\n",bn); memcpy(c->wb+c->wn,body,bn); c->wn+=bn; memcpy(c->wb+c->wn,"\r\n",2); c->wn+=2; }
static void gen_frame(conn*c){
  static char b[1<<20]; int last=(c->seq+1==c->nframes); uint64_t t=now_ns(); int n;
  const char*w=words[(c->sid*7+c->seq*13)&15];
  n=sprintf(b,"data: {\"id\":\"01JMOCK%019llu\",\"created\":\"2025-06-01T12:00:00.000Z\",\"object\":\"chat\",\"model\":\"openai/gpt-4o\",\"provider\":\"openai\",\"is_final\":%s,\"integration_id\":\"0195f3a2-mock\",\"telemetry\":{\"trace_id\":\"%032llx\",\"span_id\":\"%016llx\"},\"system_fingerprint\":\"t=%020llu;s=%010llu\",",
    (unsigned long long)c->sid,last?"true":"false",(unsigned long long)c->sid*0x9E3779B97F4A7C15ull,(unsigned long long)c->sid,(unsigned long long)t,(unsigned long long)c->seq);
  if(last) n+=sprintf(b+n,"\"usage\":{\"prompt_tokens\":128,\"completion_tokens\":%llu,\"total_tokens\":%llu},",(unsigned long long)c->nframes,(unsigned long long)(c->nframes+128));
  n+=sprintf(b+n,"\"choices\":[{\"index\":0,\"message\":{\"type\":\"content\",\"role\":\"assistant\",\"content\":\"%s ",w);
  const char*tail=last?"\"},\"finish_reason\":\"stop\"}]}\n\n":"\"},\"finish_reason\":null}]}\n\n"; int tn=strlen(tail);
  int pad=c->size-n-tn; if(pad>(int)sizeof b-n-tn-8) pad=(int)sizeof b-n-tn-8;
  while(pad>0){int k=pad<(int)sizeof PADS-1?pad:(int)sizeof PADS-1; memcpy(b+n,PADS,k); n+=k; pad-=k;}
  memcpy(b+n,tail,tn); n+=tn;
  put_chunk(c,b,n); c->seq++; total_frames++;
  if(last){ if(c->docrc){char x[64]; int k=sprintf(x,": crc=%08x\n\n",c->crc); int d=c->docrc; c->docrc=0; put_chunk(c,x,k); c->docrc=d;}
    int d=c->docrc; c->docrc=0; put_chunk(c,"data: [DONE]\n\n",14); c->docrc=d; wneed(c,8); memcpy(c->wb+c->wn,"0\r\n\r\n",5); c->wn+=5; c->finished=1; }
}
static void parse_next(conn*c);
static void fin(conn*c){ total_streams++; hremove(c); c->state=0; if(c->close_after){cclose(c);return;} parse_next(c); }
static void burst(conn*c){ // gap 0: up to 16 sends per turn
  for(int i=0;i<16;i++){ int r=flush_c(c); if(r<=0)return; if(c->finished){fin(c);return;}
    for(int k=0;k<c->batch&&!c->finished;k++) gen_frame(c); }
  int r=flush_c(c); if(r<0)return; if(r>0){ if(c->finished) fin(c); else rq_push(c);} }

static long hdrnum(const char*h,const char*name,long def){ const char*p=strcasestr(h,name); if(!p)return def; p+=strlen(name); while(*p==' '||*p==':')p++; return strtol(p,0,10);}
static void start_stream(conn*c,const char*h){
  c->nframes=hdrnum(h,"x-mock-frames",def_frames); if(c->nframes<1)c->nframes=1;
  c->gap_ns=(uint64_t)hdrnum(h,"x-mock-gap-us",def_gap/1000)*1000; c->size=hdrnum(h,"x-mock-size",def_size); c->batch=hdrnum(h,"x-mock-batch",def_batch); if(c->batch<1)c->batch=1;
  c->docrc=hdrnum(h,"x-mock-crc",def_crc)!=0; c->crc=0; c->seq=0; c->finished=0; c->sid=sid_next++; c->state=1;
  c->close_after=strcasestr(h,"connection: close")!=0;
  static const char H[]="HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";
  wneed(c,sizeof H); memcpy(c->wb+c->wn,H,sizeof H-1); c->wn+=sizeof H-1;
  if(c->gap_ns==0){ rq_push(c); return; }
  c->deadline=now_ns()+c->gap_ns; gen_frame(c); int r=flush_c(c); if(r<0)return; if(c->finished){ if(r>0) fin(c); return;} hpush(c);
}
static void parse_next(conn*c){
  if(c->state!=0||c->rn==0) return; 
  c->rb[c->rn]=0; char*e=memmem(c->rb,c->rn,"\r\n\r\n",4); if(!e) return; size_t hl=e+4-c->rb; char sv=*e; *e=0;
  size_t total=hl; int isch=strcasestr(c->rb,"transfer-encoding: chunked")!=0; long cl=hdrnum(c->rb,"\ncontent-length",0);
  if(isch){ char*z=memmem(c->rb+hl,c->rn-hl,"0\r\n\r\n",5); if(!z){*e=sv;return;} total=z+5-c->rb; } else total=hl+cl;
  if(c->rn<total){*e=sv;return;}
  total_reqs++; char hd[16384]; size_t k=hl<sizeof hd?hl:sizeof hd-1; memcpy(hd,c->rb,k); hd[k]=0; memmove(c->rb,c->rb+total,c->rn-total); c->rn-=total;
  if(!strncmp(hd,"POST ",5)||strstr(hd,"/v2/deployments/stream")) start_stream(c,hd);
  else { static const char R[]="HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"; wneed(c,sizeof R); memcpy(c->wb+c->wn,R,sizeof R-1); c->wn+=sizeof R-1; if(flush_c(c)>0) parse_next(c); }
}
static void onsig(int s){(void)s;stop_flag=1;}
static void report(void){ struct rusage u; getrusage(RUSAGE_SELF,&u);
  fprintf(stderr,"{\"upstream\":{\"requests\":%llu,\"streams_done\":%llu,\"aborted\":%llu,\"frames\":%llu,\"cpu_s\":%.3f,\"pace_late_us\":{\"n\":%llu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}}}\n",
   (unsigned long long)total_reqs,(unsigned long long)total_streams,(unsigned long long)aborted,(unsigned long long)total_frames,u.ru_utime.tv_sec+u.ru_utime.tv_usec/1e6+u.ru_stime.tv_sec+u.ru_stime.tv_usec/1e6,
   (unsigned long long)late_n,hq(late_h,late_n,.5)/1e3,hq(late_h,late_n,.99)/1e3,late_max/1e3); }
int main(int ac,char**av){ int port=9100,o;
  while((o=getopt(ac,av,"p:n:g:s:b:cv"))!=-1) switch(o){case'p':port=atoi(optarg);break;case'n':def_frames=atoi(optarg);break;case'g':def_gap=strtoull(optarg,0,10)*1000;break;case's':def_size=atoi(optarg);break;case'b':def_batch=atoi(optarg);break;case'c':def_crc=1;break;case'v':verbose=1;break;default:fprintf(stderr,"usage: upstream [-p port=9100] [-n frames=200] [-g gap_us=20000] [-s frame_bytes=500] [-b frames_per_write=1] [-c crc]\n");return 2;}
  struct rlimit rl; getrlimit(RLIMIT_NOFILE,&rl); rl.rlim_cur=rl.rlim_max; setrlimit(RLIMIT_NOFILE,&rl);
  signal(SIGPIPE,SIG_IGN); signal(SIGINT,onsig); signal(SIGTERM,onsig); signal(SIGUSR1,SIG_IGN);
  int ls=socket(AF_INET,SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,0),one=1; setsockopt(ls,SOL_SOCKET,SO_REUSEADDR,&one,sizeof one);
  struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(port),.sin_addr.s_addr=htonl(INADDR_LOOPBACK)};
  if(bind(ls,(void*)&a,sizeof a)||listen(ls,4096)){perror("bind/listen");return 1;}
  ep=epoll_create1(0); struct epoll_event e={.events=EPOLLIN,.data.ptr=&ls}; epoll_ctl(ep,EPOLL_CTL_ADD,ls,&e);
  int tf=timerfd_create(CLOCK_MONOTONIC,TFD_NONBLOCK); e.data.ptr=&tf; epoll_ctl(ep,EPOLL_CTL_ADD,tf,&e);
  uint64_t armed=0; struct epoll_event evs[512];
  while(!stop_flag){
    uint64_t top=hn?heap[0]->deadline:0; if(top&&top!=armed){ struct itimerspec it={.it_value={top/1000000000ull,top%1000000000ull}}; timerfd_settime(tf,TFD_TIMER_ABSTIME,&it,0); armed=top; }
    int n=epoll_wait(ep,evs,512,rq_head?0:1000);
    for(int i=0;i<n;i++){ void*p=evs[i].data.ptr;
      if(p==&ls){ for(;;){int fd=accept4(ls,0,0,SOCK_NONBLOCK|SOCK_CLOEXEC); if(fd<0)break; setsockopt(fd,IPPROTO_TCP,TCP_NODELAY,&one,sizeof one); conn*c=calloc(1,sizeof*c); c->fd=fd;c->heap_i=-1;c->rcap=4096;c->rb=malloc(c->rcap); struct epoll_event x={.events=EPOLLIN|EPOLLRDHUP,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_ADD,fd,&x);} continue; }
      if(p==&tf){ uint64_t x; if(read(tf,&x,8)<0){} armed=0; continue; }
      conn*c=p; if(c->state==2)continue;
      if(evs[i].events&(EPOLLIN|EPOLLRDHUP|EPOLLHUP|EPOLLERR)){ for(;;){ if(c->rn+2048>c->rcap){c->rcap*=2;c->rb=realloc(c->rb,c->rcap);} ssize_t r=recv(c->fd,c->rb+c->rn,c->rcap-c->rn-1,0); if(r>0){c->rn+=r; continue;} if(r==0){cclose(c);} else if(errno!=EAGAIN&&errno!=EINTR){cclose(c);} break; } if(c->state==0) parse_next(c); }
      if(c->state!=2&&(evs[i].events&EPOLLOUT)){ int r=flush_c(c); if(r>0&&c->state==1){ if(c->finished) fin(c); else if(c->gap_ns==0) rq_push(c);} }
    }
    if(hn){ uint64_t t=now_ns(); while(hn&&heap[0]->deadline<=t){ conn*c=heap[0]; uint64_t l=t-c->deadline; late_h[hidx(l)]++; late_n++; if(l>late_max)late_max=l; c->deadline+=c->gap_ns; hdown(0); gen_frame(c); int r=flush_c(c); if(r<0)continue; if(c->finished){ hremove(c); if(r>0) fin(c);} t=now_ns(); } }
    for(int k=0;k<8&&rq_head;k++){ conn*c=rq_pop(); if(c->state==2){free(c->rb);free(c->wb);c->rb=c->wb=0;c->rnext=graveyard;graveyard=c;continue;} if(c->state==1&&c->gap_ns==0) burst(c); }
    while(graveyard){conn*c=graveyard;graveyard=c->rnext;free(c);}
  }
  report(); return 0; }
