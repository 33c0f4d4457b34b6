"""Stems of words in other languages than English: what they speak for, by script.

A stem is looked for anywhere in a text in lower case, so that it finds inflected and compounded
words ("vertrags" in "Arbeitsvertragsrecht"), those with an article before them, and those of
scripts without blanks. "_" is a blank. None stands in a common English word, and none in a common
word of another domain. In each group of the Latin script languages follow each other: German,
French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Swedish; so do Russian and Ukrainian,
Chinese and Japanese. What says much by itself stands there in full and as a stem, and counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_LATIN: dict[str, str] = {
    "finance": """jahresabschl jahresabschluss abschlussprüf bilanz buchhalt buchführ buchen_
        verbuch rechnungsleg umsatzsteuer mehrwertsteuer einkommensteuer steuererklärung
        finanzamt absetzen finanz umsatz rendite zinsen zinssatz aktien anleihe dividende kredit
        darlehen hypothek tilgen investier geldanlage wertpapier abschreibung comptab
        états_financiers financière trésorerie bénéfice chiffre_d'affaires emprunt impôts
        taux_d'intérêt fiscalit la_tva de_tva avec_tva tva_intra rendement portefeuille
        dividendes actionnaire bourse_ placement_financier amortissement investir
        prêt_immobilier épargne contabil contable contabl impuestos declaración_de_la_renta
        deducci rentabilidad inversión inversiones invertir hipoteca préstamo bolsa_de_valores
        ingresos ganancias facturas facturac balance_general financiero financiera
        tipo_de_interés intereses ahorros presupuesto el_iva l'iva o_iva tributario tributaria
        auditoría cuentas_anuales flujo_de_caja bilancio questo_bilancio un_bilancio ammortament
        fatture fatturato mutuo tasso_fisso tasso_di_interesse finanziament prestito investiment
        azionist dividendi obbligazion imposte_ partita_iva reddito utile_netto ricavi
        conto_economico stato_patrimoniale risparmi comprare_azioni _imposto_ impostos_ lucro
        venda_de_ações comprar_ações empréstimo financiamento financeir contábe
        balanço_patrimonial juros despesa fluxo_de_caixa nota_fiscal orçament poupança
        renda_fixa dívida contábil jaarrekening jaarreken facturen factuur belasting de_btw
        btw_over btw- hypotheek lening aandelen belegg boekhoud omzet winst_ de_rente deze_rente
        spaargeld begroting jaarverslag financieel financiële podate podatk bilans
        sprzedaży_akcji giełd obligacj kredyt odsetk odsetek finansow księgow faktur inwest zysk
        przychód przychodów budżet oprocentow dochodow rachunkow oszczędno bilanço kârlı fatura
        kredi faiz _vergi_ vergisi vergiler hisse_sene yatırım borsa muhasebe mali_tablo bu_mali
        mali_durum finans gelir_tablosu nakit_akı temettü enflasyon döviz bütçe moms_på momsen
        bokför årsredovisning _skatt aktier aktiefond ränta räntor bolån intäkt resultaträkning
        balansräkning redovisning investera utdelning bokslut inflación inflação inflazion
        inflatie inflacj""",
    "legal": """arbeitsvertrag mietvertrag kaufvertrag verträge vertrags rechtlich rechtswidrig
        rechtsanw rechtslage anwalt anwält klausel gesetzlich gesetze_ gesetzes gesetzbuch
        mieter kaution kündig verklag schadensersatz schadenersatz haftung gerichtlich verstöße
        verstoß verstoss datenschutz dsgvo strafbar vollmacht erbrecht widerruf arbeitgeber
        arbeitsrecht mietrecht zulässig abmahnung bußgeld juridique avocat le_tribunal
        un_tribunal du_tribunal contrats locataire licenciement licencier_ employeur préavis
        conformité infractions_aux infraction_aux réglementa droit_du_ droit_de_ préjudice
        porter_plainte rgpd litige mise_en_demeure légal code_civil code_du_travail
        propriétaire_ despido despedir despid juzgado abogad casero inquilin alquiler jurídic
        cláusula incumplim normativa normativo la_ley leyes indemnización derechos herencia
        delito _notario infracci reclamar_ contratos demandar el_tribunal legislaci locazion
        recedere recesso penale_ giuridic avvocat licenziament licenziat affitto sfratto
        la_legge di_legge della_legge violazion tribunale risarciment querela diritto_ diritti_
        clausol contratti_ _reato_ direitos trabalhista demitid justa_causa advogad
        ação_judicial indenização aluguel locação conformidade violaç _a_lei_ da_lei_ leis_
        herança lgpd rescisão o_tribunal huurbaas huurder huurcontract arbeidscontract
        arbeidsovereenkomst ontslag ontslaan advocaat rechten_ rechtbank juridisch wettelijk
        de_wet_ wetgeving overtreding regelgeving borgsom aansprakelijk schadevergoeding de_borg
        opzegtermijn arbeidsrecht huurrecht werkgever _umow prawnik prawnicz prawo_ prawa_
        kodeks sądu sąd_ sądow wypowiedzen pracodawc najmu najemc wynajm kaucj przepisów
        naruszen naruszeń odszkodowan pozew klauzul ustawa_ ustawy zgodnoś_z dava_aç davası
        avukat sözleşme depozito ev_sahib kiracı mevzuat aykırı yasal_ kanun hukuk tazminat
        işten_çıkar mahkeme işveren _miras_ mirası boşanma kvkk ihlal avtal hyresvärd hyresgäst
        säger_lagen enligt_lag lagstift säga_upp uppsäg uppsagd advokat domstol juridisk
        skadestånd regelverk brott_mot arbetsgivar lagligt rättslig""",
    "medical": """zum_arzt hausarzt ärzt fieber schmerz symptome_ krankheit medikament
        nebenwirkung blutdruck schwanger tablette husten übelkeit therapie_ entzünd impfung
        geimpft krankenhaus dosierung blutwert herzinfarkt antibiotika die_grippe eine_grippe
        la_grippe médicament médecin fièvre mal_à_la mal_au_ mal_de_ maux_de douleur toux_
        _enceinte_ grossesse symptôme maladie antibiotique tension_artérielle hôpital
        effets_secondaires posologie allergique diabète rhume comprimé fiebre y_tos_ tos_y_
        la_tos_ dolor_de dolores_de médic síntoma enfermedad embaraz _medicamento_ medicamentos_
        pastilla hipertens alergi presión_arterial vacuna efectos_secundarios _dosis_ paciente
        diagnóstico ibuprofeno náusea farmac pressione_alta pressione_sang febbre mal_di_
        la_tosse_ e_tosse_ tosse_e_ sintom malatti un_dolore dolori gravidanza incinta pazient
        effetti_collaterali vaccino diabete_ pillol terapia grávida gravidez _dor_de_ _dores_
        remédio febre doença pressão_alta pressão_arterial vacina efeitos_colaterais enjoo
        comprimido hoofdpijn misselijk huisarts koorts buikpijn keelpijn rugpijn medicijn ziekte
        ziekenhuis zwanger bijwerking bloeddruk patiënt _hoest dosering griep ontstek dokter
        lekarz lekarst gorączk boli_mnie _ból_ bóle_ bólu leki_ leków kaszel chorob objaw
        pacjent szpital nadciśnieni szczepi skutki_uboczne tabletk antybiotyk mdłości cukrzyc
        w_ciąży ateşim başım ağrım ağrıyor ağrısı ilaç _ilacı ilaçlar doktor hastal hastane
        tansiyon öksür hamile tedavi mide_bulant yan_etki antibiyotik feber _ont_i_ läkare
        sjukdom sjukhus huvudvärk och_hosta hostar_ är_gravid biverkning blodtryck vårdcentral
        symtom illamående mediciner läkemedel""",
    "support": """bestellung bestellnummer lieferung geliefert geld_zurück erstatt rücksend
        umtausch reklamation kundenservice kundendienst einloggen angekommen versand_ sendung_
        gutschein storni kundennummer zurückgeben zurückschick mein_abo kundenkonto rembours
        livraison livré le_service_client votre_service_client mot_de_passe mon_compte
        abonnement réclamation_ prélevé défectueu ma_commande pedido mi_cuenta contraseña_
        devoluci mi_paquete envío_ entrega_ no_me_llega no_ha_llegado atención_al_cliente
        suscripción cancelar iniciar_sesión me_han_cobrado mio_ordine rimbors spedizion consegna
        pacco danneggiat difettos servizio_clienti abbonament assistenza_clienti disdire
        mio_account la_password encomenda reembols minha_conta _senha atrasad meu_pedido
        assinatura atendimento não_chegou não_recebi veio_com_defeito suporte bezorgd bezorging
        mijn_pakket bestelling geld_terug retourner klantenservice wachtwoord inloggen
        mijn_account _levering_ terugbetal opzeggen paczk zwrot_pien zamówien przesyłk dostaw_
        dostawa reklamac hasło_ hasła zalogow moje_konto mojego_konta subskrypc obsługi_klienta
        nie_dotarł sipariş _iade_ paramı kargo teslim şifre hesabım abonelik aboneliğ iptal_
        müşteri_hizmet gelmedi ulaşmadı mitt_paket leverans beställning återbetal
        pengarna_tillbaka kundtjänst lösenord logga_in mitt_konto prenumeration""",
    "science": """himmel_blau physik chemie chemisch biologie molekül photosynthese
        lichtgeschwind schwerkraft gefrier wasserstoff sauerstoff teilchen quanten vulkane
        vulkanausbr magnetfeld planeten schwarze_löcher schwarzes_loch naturwissensch zellen
        erdbeben la_physique chimie chimique molécul atomes le_ciel la_lune gravité
        photosynthèse planète étoile lumière énergie quantique oxygène trou_noir trous_noirs
        scientifique biologie_ cellule fotosíntesis los_árboles átomo gravedad la_luna _planeta_
        planetas_ estrellas la_luz célula especies_ energía química biología agujero_negro
        agujeros_negros universo temperatura terremoto volcán reacción della_luna il_sole
        il_cielo fotosintesi molecol _cellula_ pianet gravità la_luce _atomi_ chimica chimico
        fisica_ stelle_ buco_nero buchi_neri energia ossigeno terremot fotossíntese plantas_
        gravidade a_luz buraco_negro buracos_negros oxigênio estrelas biologia evolução o_céu
        de_zee zwaartekracht fotosynthese moleculen de_maan sterren natuurkund scheikund
        de_lucht_blauw de_hemel_blauw lichtsnelheid zuurstof zwart_gat zwarte_gaten aardbeving
        niebo_ fotosyntez cząstecz grawitac księżyc światł chemiczn fizyk gwiazd czarne_dziury
        czarna_dziura ewolucj słońc wulkan gökyüzü ışık yerçekim fotosentez gezegen hücre
        kimyasal fizik biyoloji enerji yıldız kara_delik oksijen güneş deprem bitkiler himlen_
        ljuset fotosyntes molekyl månen stjärn svarta_hål fysik kemisk""",
    "math mathematics": """ableitung nullstell gleichung dreieck rechteck primzahl wurzel_aus
        wahrscheinlichkeit beweise beweis_ quadratisch flächeninhalt polynome teilbar mathematik
        vektor bruch_ summe_der équation dérivée intégrale racine_carrée nombre_premier
        nombres_premiers probabilité démontre polynôme périmètre théorème somme_de calcule
        divisible_par logarithme mathématiq nombres_entiers géométri algèbre une_matrice ecuaci
        derivada_ números_primos número_primo impares demuestra raíz_cuadrada triángulo
        probabilidad fracci resuelve polinomi teorema perímetro logaritm matriz matemátic
        equazion derivata _integrale_ radice_quadrata numeri_primi triangol probabilità frazion
        dimostra al_quadrato perimetro matematic calcola risolvi numeri_pari numeri_dispari
        equaç números_pares raiz_quadrada triângulo fração frações resolva_ _prove_que_
        demonstre soma_dos polinômio los_de_vergelijking wortel_van breuk bewijs_dat driehoek
        afgeleide integraal priemget oppervlakte omtrek wiskund kwadraat som_van deelbaar równan
        pochodn całkę całka pierwiast liczb_pierwsz liczby_pierwsz liczba_pierwsz trójkąt
        prawdopodobieństw ułam macierz udowodnij oblicz rozwiąż wielomian twierdzen matematy
        denklem türev_ türevini karekök asal_say üçgen olasılık kesir matris ispatla kanıtla
        hesapla polinom teorem matematik toplamı ekvation kvadratrot primtal triangel
        sannolikhet bevisa_att beräkna omkrets matemati summan_av""",
    "code": """ein_programm das_programm mein_programm kleines_programm programmier schleife
        quellcode fehlermeldung datenbank schnittstelle umbenenn fehler_in_diesem_code
        fonction_qui programme_qui mon_programme _ce_code la_boucle une_boucle cette_boucle
        script_qui base_de_données requête débog dictionnaires logiciel este_código el_código
        mi_código bucle programa_que función_que base_de_datos consulta_sql compilar
        programación questo_codice il_codice mio_codice script_che_ programma_che funzione_che
        ciclo_for un_file_csv o_código meu_código função_que banco_de_dados código_que laço
        deze_lus programma_dat mijn_programma functie_die deze_code foutmelding mijn_code
        broncode programmeer funkcję funkcja_która ten_kod tym_kodzie mój_kod napisz_program
        skrypt pętl bazy_danych duplikat program_yaz bu_kod kodda kodum fonksiyon döngü
        veritabanı hata_ver klasör yazılım ett_program funktion_som den_här_koden min_kod
        felmeddelande databasen_ en_databas_""",
    "creative": """gedicht eine_geschichte gutenachtgeschichte kurzgeschichte märchen liedtext
        werbespruch werbetext erzähl_mir une_histoire courte_histoire _un_conte_ poème poésie
        les_paroles_d écris_une_nouvelle invente_un une_chanson la_chanson cuento_ inventa_un
        una_historia relato_ leyenda canción eslogan novela_ versos favola fiaba poesia
        una_storia racconta racconto filastrocca canzone romanzo letra_de_ história_infantil
        uma_história conto_ história_de_ninar invente_um canção een_verhaal verhaal_over
        sprookje verzin liedje songtekst bajk wiersz_ wierszyk opowiadanie opowieść historię_o
        baśń piosenk wymyśl şiir hikaye hikâye _masal_ masalı öykü şarkı_söz en_saga kort_saga
        godnattsaga saga_om dikt_om en_dikt berättelse sångtext hitta_på""",
    "translation": """übersetz französische traduire traduction traducción traduzione tradução
        traduç vertaling tłumacz po_angielsku na_angielski na_niemiecki ingilizce almanca
        fransızca tercüme türkçe'ye översätt engelska svenska_""",
    "summarisation": """zusammenfass fass_mir fass_den fass_die fass_das fasse_
        wichtigsten_punkte synthèse_ résumer resúme resumir riassu _resuma vat_het vat_de
        vat_dit samenvat streść podsumuj streszcz özetle özeti sammanfatt""",
    "classification": """klassifizier kategorisier einstufen positiv_ négatif positif catégori
        clasific negativas positivas clasifique positivo negativo classifica_ positief negatief
        neutraal classificeer sklasyfikuj pozytywn negatywn neutraln olumlu olumsuz nötr
        sınıfland klassificera kategorisera""",
    "extraction": """extrahier liste_alle alle_namen tous_les_noms toutes_les_dates liste_tous
        extraer_ todos_los_nombres todas_las_fechas extraire_ extrais_ tutti_i_nomi
        tutte_le_date todos_os_nomes todas_as_datas haal_alle haal_de uit_deze_tekst extraheer
        wypisz wyodrębnij wszystkie_daty metinden tüm_isim extrahera alla_namn plocka_ut""",
    "reasoning": """vergleiche_ begründ beurteil überprüf vérifi évalue évaluer evalúa _analiza_
        controlla_ analizza_ avalie_ analise_ vergelijk beoordeel analyseer controleer porównaj
        uzasadnij oceń sprawdź przeanalizuj karşılaştır değerlendir incele jämför granska bedöm""",
}

_CYRILLIC: dict[str, str] = {
    "finance": """бухгалт амортизац основных_средств облигац акций акции_ дивиденд вклад_ налог
        кредит ипотек процентн прибыл выручк финансов финансовую_отч финансовой_отч
        финансовая_отч бюджет инвести отчётност отчетност баланс_предпр ндс счёт-фактур дебитор
        инфляц валют податок податк податку прибут фінанс звітніст фінансову_звіт
        фінансової_звіт бухгалтер рахунок-фактур інвести акції_ облігац депозит""",
    "legal": """договор закон суд_ суда_ суде_ судебн исков адвокат юрид юрист трудовой_кодекс
        кодекс работодател уволить увольнен аренд арендодател взыскан нарушен правов штраф
        наследств право_на мои_права комплаенс неустойк договір законодав роботодав звільнит
        звільнен оренд порушенн юридичн позов судов спадщин""",
    "medical": """пациент лекарств врач температура_3 кашел болит боли_в головн симптом болезн
        таблетк давлени_ высокое_давление беременн диагноз побочн прививк антибиотик больниц
        дозировк тошнот аллерги препарат лікар ліки хвороб висока_температура кашл вагітн
        пацієнт тиск_ болить таблет""",
    "support": """заказ доставлен доставк верните возврат посылк пароль личный_кабинет аккаунт
        служба_поддержки подписк гарант товар_ отмените замовлен поверніть посилк обліков
        підписк""",
    "science": """физик химич химия биолог молекул атом_ атомы гравитац фотосинтез планет звёзд
        звезд небо_ луна_ луны_ солнц свет_ света_ лёд_ льда клетк эволюц кислород черная_дыра
        чёрная_дыра чёрные_дыры черные_дыры вулкан землетряс квантов листья_осенью
        скорость_света фізик хіміч біолог тяжінн місяць_ зірк чорні_діри кисень світла""",
    "math mathematics": """уравнени производн интеграл корень_из простые_числа простое_число
        треугольник вероятност дроб матриц докажи вычисли реши_ найди_сумму теорем логарифм
        периметр математ многочлен рівнян похідн трикутник ймовірн обчисли розв'яжи доведи
        просте_число""",
    "code": """функци скрипт программу_котор напиши_программ код_ в_этом_коде в_коде этот_код
        цикл база_данных базы_данных баз_данных переменн скомпил массив програму_як цьому_коді
        цей_код помилку_в_код""",
    "creative": """сказк стихотвор стих_ стихи рассказ_о рассказ_про историю_про историю_о
        придумай сочини песн слоган басн казк вірш оповідання історію_про вигадай""",
    "translation": """переведи перевод_на английск немецк французск испанск переклад англійськ
        німецьк""",
    "summarisation": """перескажи краткое_содержание кратко_изложи резюмир подведи_итог изложи
        стисло підсумуй перекажи""",
    "classification": """классифицир тональност положительн отрицательн нейтральн категори
        класифік позитивн негативн""",
    "extraction": "выпиши извлеки все_имена все_даты все_фамилии випиши витягни всі_імена",
    "reasoning": "докажи сравни обоснуй проанализир оцени проверь проверьте порівняй перевір",
}

_ARABIC: dict[str, str] = {
    "finance": """ضريب فواتير فاتور أسهم الأسهم سندات استثمار للاستثمار القوائم_المالية
        قائمة_مالية مالية ميزانية أرباح إيرادات محاسب قرض القروض فائدة_ الفائدة بنك التدفق""",
    "legal": """قانون عقد_ العقد عقود محام محكمة دعوى مخالف امتثال إنذار فصلي صاحب_العمل مستأجر
        الإيجار حقوق تعويض لوائح بند_ البند قضائ""",
    "medical": """صداع حمى دواء الدواء طبيب أعراض مرض_ المرض مريض المريض علاج_ العلاج ضغط_الدم
        حامل_ السكري سعال ألم_ آلام جرعة مستشفى التهاب جانبية""",
    "support": """طلبي استرداد_أموال استرداد_المبلغ شحن الطرد كلمة_المرور حسابي اشتراك لم_يصل
        خدمة_العملاء إرجاع توصيل""",
    "science": """السماء الضوء الغلاف_الجوي فيزياء كيمياء جزيئ الذرة ذرات الجاذبية كوكب كواكب
        القمر الشمس خلية الخلايا تمثيل_الضوئي البناء_الضوئي الطاقة الثقوب_السوداء الأكسجين زلازل""",
    "math mathematics": """معادل مشتق تكامل جذر مثلث احتمال كسر_ مصفوف أثبت احسب_مساحة حاصل_ضرب
        الأعداد العدد_الأولي رياضيات""",
    "code": "برنامجا برنامج_ برمج دالة الكود كود_ سكربت حلقة قاعدة_بيانات خوارزمية",
    "creative": "قصة قصيدة شعر_ حكاية رواية_ أغنية شعار_إعلان",
    "translation": "ترجم الإنجليزية الفرنسية الألمانية الإسبانية",
    "summarisation": "لخص تلخيص ملخص",
    "classification": "صنف تصنيف إيجابي سلبي محايد",
    "extraction": "استخرج استخراج جميع_الأسماء",
    "reasoning": "قارن حلل_ قيّم راجع_ أثبت برهن",
}

_HAN: dict[str, str] = {
    "finance": """股票 发票 財務 财务 財務諸表 资产负债 现金流 利润 营收 收入税 纳税 税务 增值税
        所得税 基金 利率 贷款 房贷 理财 投资 债券 股息 会计 审计 报税 通货膨胀 信用卡 決算
        確定申告 経費 収益 利益率 株式 株価 投資 税金 消費税 住宅ローン 金利 減価償却 会計 簿記
        監査 貸借対照 損益 請求書 年金""",
    "legal": """合同 法律 起诉 押金 律师 法院 条款 竞业 合规 合规问题 合规性 违规 违约 劳动法
        赔偿 诉讼 租赁 房东 仲裁 侵权 法规 继承权 解雇 违法 契約 法的 労働法 弁護士 裁判 訴え
        条項 違反 法令 コンプライアンス コンプライアンス違反 敷金 大家さん 損害賠償 著作権
        慰謝料 相続 規制""",
    "medical": """患者 症状 血压 头痛 恶心 发烧 咳嗽 吃药 医生 医院 感冒 糖尿病 药物 副作用 怀孕
        过敏 挂号 看什么科 疫苗 诊断 失眠 剂量 熱があ 喉が痛 頭が痛 お腹が痛 頭痛 咳が 薬を 薬の
        病院 医者 医師 血圧 妊娠 病気 治療 診断 アレルギー 吐き気 服用""",
    "support": """退款 订单 快递 包裹 客服 退货 发货 物流 密码 登录 我的账号 账户 会员 换货 投诉
        返金 注文した 届きません 届かない 返品 パスワード ログイン 配送 交換して 解約 キャンセル
        お問い合わせ""",
    "science": """元素 物理 化学 地球 浮在水 光合作用 分子 原子 重力 引力 月亮 月球 行星 恒星
        黑洞 细胞 进化 天空 量子 氧气 地震 火山 基因 生物学 太阳 光速 空は青 散乱 光合成 惑星
        細胞 進化 酸素 月は 太陽 ブラックホール 遺伝子 光の""",
    "math mathematics": """计算 多少 方程 函数_f 函数f 导数 积分 极值 单调 三角形 概率 质数 素数
        平方根 分数 矩阵 求证 奇数 偶数 面积 几何 数学 方程式 微分 確率 行列 面積を 計算
        因数分解 解いて""",
    "code": """代码 写一个程序 写个程序 程序报错 脚本 函数 文件夹 数组 循环 数据库 报错 编程
        编译 関数 バグ プログラム コード スクリプト 配列 データベース ループ""",
    "creative": """诗 小说 故事 童话 歌词 广告语 编一个 创意 物語 童話 俳句 短歌 小説 歌詞
        キャッチコピー 詩を""",
    "translation": "翻译 翻譯 怎么说 訳して 翻訳 英文 英语 英語に 英語で 日文 法语 译成",
    "summarisation": "总结 概括 摘要 要約 まとめて",
    "classification": "分类 判断 分類 正面 负面 中性 类别 ポジティブ ネガティブ 肯定的 否定的",
    "extraction": "提取 抜き出 抽出 列出所有 所有人名",
    "reasoning": "证明 証明 比較 比较 审查 評価して 分析 论证",
}

_HANGUL: dict[str, str] = {
    "finance": """재무 재무제표 대출 주식 투자 세금 부가세 부가가치세 연말정산 수익성 이자 금리
        회계 감사보고 배당 채권 펀드 적금 예금 매출 손익 대차대조 환율 종합소득세 신고해""",
    "legal": """법적 법률 보증금 집주인 계약 소송 변호사 해고 규정_위반 위반 조항 임대 손해배상
        근로기준법 고소 판결 저작권 상속 노동법 컴플라이언스""",
    "medical": """열이_나 목이_아 머리가_아 배가_아 두통 기침 증상 약을 복용 병원 의사_ 혈압
        당뇨 환자 임신 부작용 감기 진단 치료 통증 메스꺼""",
    "support": """주문한 주문이 배송 환불 반품 교환해 비밀번호 로그인 계정 고객센터 택배 취소해
        구독""",
    "science": """하늘은 산란 광합성 중력 분자 원자 행성 블랙홀 세포 진화 물리 화학 지구 태양
        달은 빛의 양자 산소 유전자 지진""",
    "math mathematics": """방정식 미분 적분 확률 소수 삼각형 넓이 제곱근 행렬 인수분해 증명 수학
        함수_f 계산""",
    "code": "코드 함수에서 함수를 오류가_나 프로그램 스크립트 배열 반복문 데이터베이스 버그",
    "creative": """시를_써 시를_지 시_한_편 이야기를_지 이야기를_써 동화 소설 노래_가사 가사를
        광고_문구""",
    "translation": "번역 영어로 영어 일본어 중국어로 프랑스어",
    "summarisation": "요약",
    "classification": "분류 긍정 부정인 중립",
    "extraction": "추출 뽑아 찾아내",
    "reasoning": "비교 증명 평가해 분석 검토",
}


_ENDS = re.compile(r"[\n\r\t.,;:!?¿¡()\[\]\"'`«»„“”‘’…、。，？！：；؟،]")
"""What stands beside a word; it counts as a blank."""


class Stems:
    """Stems of a script. Only those are looked for whose first characters a text has somewhere.

    So that a thousand of them take no longer than some dozens. `start` is how many characters
    tell enough, and no stem is shorter.
    """

    def __init__(self, stems_of: Mapping[str, str], start: int) -> None:
        self._start = start
        self._by_start: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = {}
        for names, stems in stems_of.items():
            groups = tuple(names.split())
            for stem in stems.replace("'", "_").split():
                plain = stem.replace("_", " ")
                self._by_start.setdefault(tuple(plain[:start]), []).append((plain, groups))

    def groups(self, lower: str) -> Iterator[str]:
        """The kind or domain of each stem that stands in a text in lower case."""
        text = f" {_ENDS.sub(' ', lower)} "
        # Tuples of characters are made in two thirds of the time that slices take.
        starts = set(zip(*(text[place:] for place in range(self._start)), strict=False))
        for start in self._by_start.keys() & starts:
            for stem, groups in self._by_start[start]:
                if stem in text:
                    yield from groups


LATIN = Stems(_LATIN, 4)
SCRIPTS: tuple[tuple[re.Pattern[str], Stems], ...] = (
    (re.compile("[\u3040-\u30ff\u4e00-\u9fff]"), Stems(_HAN, 1)),
    (re.compile("[\uac00-\ud7af]"), Stems(_HANGUL, 1)),
    (re.compile("[\u0400-\u04ff]"), Stems(_CYRILLIC, 3)),
    (re.compile("[\u0600-\u06ff]"), Stems(_ARABIC, 3)),
)
"""Of every other script the characters that tell it, and its stems."""
OTHER_SCRIPT = re.compile("|".join(chars.pattern for chars, _ in SCRIPTS))
"""The characters of all of them."""
