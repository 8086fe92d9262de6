// loadclient.c - SSE load client: C concurrent streams, checks order + byte CRC, reports TTFB, transit latency, frames/s, CPU/RSS of watched pids. See Tests/Bench/run
// cc -O2 -msse4.2 -o loadclient loadclient.c
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <stdint.h>
#include <unistd.h>
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <nmmintrin.h>
static uint64_t now_ns(void){struct timespec t;clock_gettime(CLOCK_MONOTONIC,&t);return (uint64_t)t.tv_sec*1000000000ull+t.tv_nsec;}
static uint32_t crc32c(uint32_t c,const char*p,size_t n){ uint64_t x=c; while(n>=8){uint64_t v;memcpy(&v,p,8);x=_mm_crc32_u64(x,v);p+=8;n-=8;} c=(uint32_t)x; while(n--)c=_mm_crc32_u8(c,(uint8_t)*p++); return c;}
#define HB 4096
typedef struct {uint64_t h[HB],n,max,min; double sum;} hist;
static int hidx(uint64_t v){ if(v<64) return (int)v; int e=63-__builtin_clzll(v); int s=e-6; return (int)(((s+1)<<6)+((v>>s)&63)); }
static uint64_t hval(int i){ if(i<64) return i; int s=(i>>6)-1; return ((uint64_t)(64+(i&63)))<<s; }
static void hadd(hist*H,uint64_t v){ H->h[hidx(v)]++; if(!H->n||v<H->min)H->min=v; H->n++; H->sum+=v; if(v>H->max)H->max=v; }
static double hq(hist*H,double q){ uint64_t t=(uint64_t)(q*H->n),a=0; if(!H->n)return 0; for(int i=0;i<HB;i++){a+=H->h[i]; if(a>t) return hval(i)/1e3;} return H->max/1e3; }
static hist lat,ttfb,ttff,gapdev;
typedef struct { int fd,st; // st 0 idle/not started,1 connecting,2 sending,3 headers,4 body,5 done
  uint64_t t0,tlast; size_t soff; char hb[8192]; size_t hn;
  int chunked; long clen; long cremain; int cst; // chunk parser: 0 size,1 ext/skip to \n,2 data,3 crlf after data,4 trailer
  unsigned long csize; int trl;
  char *lb; size_t ln,lcap; // current line
  uint64_t expect; uint32_t crc; uint32_t crc_at; int crc_ok,done,got; uint64_t raw; uint64_t lineoff;
} cn;
static cn*C; static int ep,conc=1,port=9100,frames=200,size=500,batch=1,usecrc=1,keepalive=0,rawmode=0; static long gap=20000; static int total=0,started=0,finished=0; static double rampms=-1,tmo=120;
static const char*path="/v2/deployments/stream"; static const char*extra=""; static const char*bodystr=0; static char req[65536]; static size_t reqn;
static uint64_t e_conn,e_status,e_short,e_order,e_crc,e_timeout,e_nodone,okc,tframes,tbytes; static int statuses[600];
static int pids[64],npids; static const char*label="";
static double pidcpu(void){ double s=0; for(int i=0;i<npids;i++){clockid_t k; struct timespec t; if(clock_getcpuclockid(pids[i],&k)==0&&clock_gettime(k,&t)==0) s+=t.tv_sec+t.tv_nsec/1e9;} return s; }
static long pidrss(const char*key){ long s=0; for(int i=0;i<npids;i++){ char p[64],l[256]; snprintf(p,64,"/proc/%d/%s",pids[i],!strcmp(key,"Pss:")?"smaps_rollup":"status"); FILE*f=fopen(p,"r"); if(!f)continue; while(fgets(l,256,f)) if(!strncmp(l,key,strlen(key))) s+=atol(l+strlen(key)); fclose(f);} return s; }
static void addpids(const char*s){ while(*s){ int p=strtol(s,(char**)&s,10); if(p>0){ pids[npids++]=p; 
   char q[64]; snprintf(q,64,"/proc/%d/task/%d/children",p,p); FILE*f=fopen(q,"r"); int k; if(f){ while(fscanf(f,"%d",&k)==1&&npids<64) pids[npids++]=k; fclose(f);} }
   if(*s==',')s++; else break; } }
static void finish(cn*c,int ok);
static void open_c(cn*c){ c->fd=socket(AF_INET,SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,0); int one=1; setsockopt(c->fd,IPPROTO_TCP,TCP_NODELAY,&one,sizeof one);
  struct sockaddr_in a={.sin_family=AF_INET,.sin_port=htons(port),.sin_addr.s_addr=htonl(INADDR_LOOPBACK)}; 
  if(connect(c->fd,(void*)&a,sizeof a)<0&&errno!=EINPROGRESS){ e_conn++; close(c->fd); c->fd=-1; c->st=5; finished++; return; }
  c->st=1; struct epoll_event e={.events=EPOLLIN|EPOLLOUT|EPOLLRDHUP,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_ADD,c->fd,&e); }
static void reset_c(cn*c){ c->soff=0;c->hn=0;c->chunked=0;c->clen=-1;c->cst=0;c->csize=0;c->trl=0;c->ln=0;c->expect=0;c->crc=0;c->crc_ok=0;c->done=0;c->got=0;c->raw=0; c->tlast=0; c->t0=now_ns(); }
static void start_c(cn*c){ started++; reset_c(c); if(c->fd>=0&&keepalive){ c->st=2; struct epoll_event e={.events=EPOLLIN|EPOLLOUT|EPOLLRDHUP,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);} else open_c(c); }
static void finish(cn*c,int ok){ if(c->st==5)return; if(ok&&!rawmode){ if(!c->done){e_nodone++;ok=0;} if(c->expect!=(uint64_t)frames){e_short++;ok=0;} if(usecrc&&!c->crc_ok){e_crc++;ok=0;} } if(ok)okc++;
  finished++; c->st=5; if(!(keepalive&&ok)){ if(c->fd>=0)close(c->fd); c->fd=-1; } if(started<total) start_c(c); }
static void line(cn*c,const char*p,size_t n,uint64_t t){ // a full line without \n ; crc covers all body bytes before the ": crc=" line
  if(n>=7&&!memcmp(p,": crc=",6)){ char x[9]={0}; memcpy(x,p+6,n-6<8?n-6:8); uint32_t v=strtoul(x,0,16); c->crc_ok=(v==c->crc); return; }
  if(n==12&&!memcmp(p,"data: [DONE]",12)){c->done=1;return;}
  c->crc=crc32c(c->crc,p,n); c->crc=_mm_crc32_u8(c->crc,'\n');
  if(n>6&&!memcmp(p,"data: ",6)){ size_t w=n<700?n:700; const char*q=memmem(p,w,"t=",2); const char*k; 
    k=memmem(p,w,"\"t=",3); if(k) q=k+1; else q=0;
    if(q&&q+34<=p+n){ uint64_t ts=strtoull(q+2,0,10); uint64_t s=strtoull(q+25,0,10); if(s!=c->expect) e_order++; c->expect=s+1; tframes++; if(t>ts) hadd(&lat,t-ts); else hadd(&lat,0);
      if(!c->got){c->got=1;hadd(&ttff,t-c->t0);} else if(gap>0){ int64_t d=(int64_t)(t-c->tlast)-gap*1000; hadd(&gapdev,d<0?-d:d);} c->tlast=t; }
    else if(rawmode){ tframes++; if(!c->got){c->got=1;hadd(&ttff,t-c->t0);} else if(gap>0){int64_t d=(int64_t)(t-c->tlast)-gap*1000; hadd(&gapdev,d<0?-d:d);} c->tlast=t; } }
}
static void body(cn*c,const char*p,size_t n,uint64_t t){ tbytes+=n; while(n){ const char*e=memchr(p,'\n',n); if(!e){ if(c->ln+n>c->lcap){c->lcap=(c->ln+n)*2+4096;c->lb=realloc(c->lb,c->lcap);} memcpy(c->lb+c->ln,p,n); c->ln+=n; return; }
   size_t k=e-p; if(c->ln){ if(c->ln+k>c->lcap){c->lcap=(c->ln+k)*2+4096;c->lb=realloc(c->lb,c->lcap);} memcpy(c->lb+c->ln,p,k); line(c,c->lb,c->ln+k,t); c->ln=0; } else line(c,p,k,t); p=e+1; n-=k+1; } }
static int feed(cn*c,const char*p,size_t n,uint64_t t){ // returns 1 when response complete
  if(!c->chunked){ body(c,p,n,t); if(c->clen>=0){c->clen-=n; return c->clen<=0;} return 0; }
  while(n){ switch(c->cst){
    case 0:{ char ch=*p; int v=-1; if(ch>='0'&&ch<='9')v=ch-'0'; else if((ch|32)>='a'&&(ch|32)<='f')v=(ch|32)-'a'+10; if(v>=0){c->csize=c->csize*16+v;p++;n--;} else c->cst=1; break;}
    case 1: if(*p=='\n'){ c->cst=c->csize?2:4; c->trl=0; } p++;n--; break;
    case 2:{ size_t k=n<c->csize?n:c->csize; body(c,p,k,t); p+=k;n-=k;c->csize-=k; if(!c->csize)c->cst=3; break;}
    case 3: if(*p=='\n')c->cst=0; p++;n--; break;
    case 4: if(*p=='\n'){ if(c->trl==0) return 1; c->trl=0; } else if(*p!='\r') c->trl++; p++;n--; break; } }
  return 0; }
static void onread(cn*c){ static char b[262144]; for(;;){ ssize_t r=recv(c->fd,b,sizeof b,0); uint64_t t=now_ns();
   if(r<0){ if(errno==EAGAIN)return; if(errno==EINTR)continue; e_conn++; finish(c,0); return; }
   if(r==0){ if(c->st==4&&!c->chunked&&c->clen<0) finish(c,1); else { e_short++; finish(c,0);} return; }
   char*p=b; size_t n=r;
   if(c->st==3){ if(!c->hn) hadd(&ttfb,t-c->t0); size_t k=n<sizeof c->hb-1-c->hn?n:sizeof c->hb-1-c->hn; memcpy(c->hb+c->hn,p,k); size_t old=c->hn; c->hn+=k; c->hb[c->hn]=0; char*e=memmem(c->hb,c->hn,"\r\n\r\n",4); if(!e){ if(c->hn>=sizeof c->hb-1){e_conn++;finish(c,0);return;} continue; }
     size_t used=(e+4-c->hb)-old; int sc=atoi(c->hb+9); if(sc>=0&&sc<600)statuses[sc]++; *e=0; c->chunked=strcasestr(c->hb,"transfer-encoding: chunked")!=0; char*q=strcasestr(c->hb,"\ncontent-length:"); c->clen=q?atol(q+16):-1; c->st=4; if(sc!=200){e_status++;finish(c,0);return;} p+=used;n-=used; if(!n){ if(!c->chunked&&c->clen==0){finish(c,1);return;} continue;} }
   if(feed(c,p,n,t)){ finish(c,1); return; }
   if(r<(ssize_t)sizeof b/2&&0)return; } }
int main(int ac,char**av){ int o; const char*pidarg=0; int watch=0;
  while((o=getopt(ac,av,"p:c:r:n:g:s:b:R:t:u:H:d:m:l:Kkxw:"))!=-1) switch(o){case'p':port=atoi(optarg);break;case'c':conc=atoi(optarg);break;case'r':total=atoi(optarg);break;case'n':frames=atoi(optarg);break;case'g':gap=atol(optarg);break;case's':size=atoi(optarg);break;case'b':batch=atoi(optarg);break;case'R':rampms=atof(optarg);break;case't':tmo=atof(optarg);break;case'u':path=optarg;break;case'H':extra=optarg;break;case'd':bodystr=optarg;break;case'm':pidarg=optarg;break;case'l':label=optarg;break;case'K':usecrc=0;break;case'k':keepalive=1;break;case'x':rawmode=1;usecrc=0;break;case'w':watch=atoi(optarg);break;
    default: fprintf(stderr,"see the first lines of the source\n"); return 2;}
  if(!total) total=conc; if(total<conc) conc=total; if(rampms<0) rampms= gap? (gap/1000.0>200?gap/1000.0:200):0;
  struct rlimit rl; getrlimit(RLIMIT_NOFILE,&rl); rl.rlim_cur=rl.rlim_max; setrlimit(RLIMIT_NOFILE,&rl); signal(SIGPIPE,SIG_IGN);
  if(!bodystr) bodystr="{\"key\":\"my-deployment\",\"stream\":true,\"identity\":{\"id\":\"user-42\"},\"thread\":{\"id\":\"thread-7\"},\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
  reqn=snprintf(req,sizeof req,"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer sk-test-secret\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n%s%sx-mock-frames: %d\r\nx-mock-gap-us: %ld\r\nx-mock-size: %d\r\nx-mock-batch: %d\r\nx-mock-crc: %d\r\nContent-Length: %zu\r\n%s\r\n%s",path,port,extra,*extra?"\r\n":"",frames,gap,size,batch,usecrc,strlen(bodystr),keepalive?"":"Connection: close\r\n",bodystr);
  if(pidarg) addpids(pidarg);
  ep=epoll_create1(0); C=calloc(conc,sizeof*C); for(int i=0;i<conc;i++)C[i].fd=-1; struct epoll_event evs[512];
  uint64_t T0=now_ns(),deadline=T0+(uint64_t)(tmo*1e9); double cpu0=pidcpu(); int opened=0; long rssmax=0,rss=0,pss=0; uint64_t rsst=T0; long rss0=pidrss("VmRSS:"); uint64_t tstart_all=0; 
  while(finished<total){ uint64_t t=now_ns(); if(t>deadline){ for(int i=0;i<conc;i++) if(C[i].st&&C[i].st!=5) e_timeout++; break; }
    int wait=100; while(opened<conc&&started<total){ uint64_t due=T0+(uint64_t)(rampms*1e6*opened/conc); if(due>t){ wait=(int)((due-t)/1000000)+ (due-t<1000000?0:0); if(wait<1)wait=1; break;} start_c(&C[opened++]); if(opened==conc)tstart_all=now_ns(); }
    int n=epoll_wait(ep,evs,512,wait);
    for(int i=0;i<n;i++){ cn*c=evs[i].data.ptr; uint32_t E=evs[i].events; if(c->st==5||c->st==0)continue;
      if(c->st==1){ int er=0; socklen_t l=sizeof er; if(!(E&(EPOLLOUT|EPOLLERR|EPOLLHUP)))continue; getsockopt(c->fd,SOL_SOCKET,SO_ERROR,&er,&l); if(er){e_conn++;finish(c,0);continue;} c->st=2; }
      if(c->st==2&&(E&EPOLLOUT)){ ssize_t r=send(c->fd,req+c->soff,reqn-c->soff,MSG_NOSIGNAL); if(r<0){ if(errno==EAGAIN)continue; e_conn++;finish(c,0);continue;} c->soff+=r; if(c->soff==reqn){ c->st=3; struct epoll_event e={.events=EPOLLIN|EPOLLRDHUP,.data.ptr=c}; epoll_ctl(ep,EPOLL_CTL_MOD,c->fd,&e);} }
      if((c->st==3||c->st==4)&&(E&(EPOLLIN|EPOLLRDHUP|EPOLLHUP|EPOLLERR))) onread(c); }
    if(npids&&now_ns()-rsst>300000000ull){ rsst=now_ns(); rss=pidrss("VmRSS:"); if(rss>rssmax)rssmax=rss; } }
  if(npids){ rss=pidrss("VmRSS:"); if(rss>rssmax)rssmax=rss; pss=pidrss("Pss:"); }
  double wall=(now_ns()-T0)/1e9,cpu=pidcpu()-cpu0; struct rusage u; getrusage(RUSAGE_SELF,&u); double mycpu=u.ru_utime.tv_sec+u.ru_utime.tv_usec/1e6+u.ru_stime.tv_sec+u.ru_stime.tv_usec/1e6; (void)watch;(void)tstart_all;
  uint64_t errs=e_conn+e_status+e_short+e_order+e_crc+e_timeout+e_nodone;
  printf("{\"label\":\"%s\",\"conc\":%d,\"requests\":%d,\"ok\":%llu,\"errors\":%llu,\"err\":{\"conn\":%llu,\"status\":%llu,\"short\":%llu,\"order\":%llu,\"crc\":%llu,\"timeout\":%llu,\"nodone\":%llu},\"frames\":%llu,\"body_MB\":%.2f,\"wall_s\":%.3f,\"frames_per_s\":%.0f,"
   "\"ttfb_us\":{\"p50\":%.0f,\"p99\":%.0f,\"max\":%.0f},\"ttff_us\":{\"p50\":%.0f,\"p99\":%.0f,\"max\":%.0f},\"transit_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},\"gapdev_us\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f},\"client_cpu_s\":%.3f",
   label,conc,total,(unsigned long long)okc,(unsigned long long)errs,(unsigned long long)e_conn,(unsigned long long)e_status,(unsigned long long)e_short,(unsigned long long)e_order,(unsigned long long)e_crc,(unsigned long long)e_timeout,(unsigned long long)e_nodone,(unsigned long long)tframes,tbytes/1e6,wall,tframes/wall,
   hq(&ttfb,.5),hq(&ttfb,.99),ttfb.max/1e3,hq(&ttff,.5),hq(&ttff,.99),ttff.max/1e3,hq(&lat,.5),hq(&lat,.9),hq(&lat,.99),hq(&lat,.999),lat.max/1e3,hq(&gapdev,.5),hq(&gapdev,.99),gapdev.max/1e3,mycpu);
  if(npids) printf(",\"proxy\":{\"pids\":%d,\"cpu_s\":%.3f,\"cpu_us_per_frame\":%.2f,\"rss0_MB\":%.1f,\"rss_peak_MB\":%.1f,\"pss_end_MB\":%.1f}",npids,cpu,tframes?cpu*1e6/tframes:0,rss0/1024.0,rssmax/1024.0,pss/1024.0);
  printf("}\n"); return errs?1:0; }
